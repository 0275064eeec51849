/** Lua in JavaScript in QuickJS: coroutines, metatables, patterns, and errors caught by it. */
import { lauxlib, lua, lualib, to_jsstring, to_luastring } from "fengari";

const program = `
  local out = {}
  local Point = setmetatable({}, { __call = function(class, x, y) return setmetatable({ x = x, y = y }, class) end })
  Point.__index = Point
  Point.__add = function(a, b) return Point(a.x + b.x, a.y + b.y) end
  Point.__tostring = function(p) return "(" .. p.x .. "," .. p.y .. ")" end
  out[#out + 1] = tostring(Point(1, 2) + Point(3, 4.5))
  local function primes(n) return coroutine.wrap(function()
    for i = 2, n do
      local prime = true
      for j = 2, math.floor(math.sqrt(i)) do if i % j == 0 then prime = false break end end
      if prime then coroutine.yield(i) end
    end
  end) end
  for p in primes(60) do out[#out + 1] = p end
  local words = {}
  for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = w end
  table.sort(words, function(a, b) return #a < #b or #a == #b and a < b end)
  out[#out + 1] = table.concat(words, " ")
  out[#out + 1] = select(2, pcall(function() error({ code = 7 }) end)).code
  out[#out + 1] = string.format("%5.2f|%-6s|%x", math.pi, "ab", 255)
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  out[#out + 1] = fib(13)
  return table.concat(out, " ")`;
const state = lauxlib.luaL_newstate();
lualib.luaL_openlibs(state);
const failed = lauxlib.luaL_dostring(state, to_luastring(program));
export default `${failed} ${to_jsstring(lua.lua_tostring(state, -1))}`;
