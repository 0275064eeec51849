/** DOMException: what the web's functions throw. Only the names that this library uses have their old numbers. */

const CODES: Record<string, number> = {
  InvalidCharacterError: 5,
  AbortError: 20,
  TimeoutError: 23,
  DataCloneError: 25,
};

export class DOMException extends Error {
  override readonly name: string;
  readonly code: number;
  constructor(message = "", name = "Error") {
    super(message);
    this.name = name;
    this.code = CODES[name] ?? 0;
  }
}
