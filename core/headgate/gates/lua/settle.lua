#!lua flags=allow-oom
-- Requests ended: gives back their places, forgets what a Failures rule need not remember, bans who failed too often.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  integer n requests, then n times: stamp (us), 1 failed or 0, m, m places as `admit` named them
-- Answers {epoch, seq, now, places given back and starts forgotten}
-- include: start
-- include: budget
-- include: http_failures
local at, done, freed = 5, 0, {}
for _ = 1, tonumber(ARGV[4]) do
  local stamp, failed, m = tonumber(ARGV[at]), ARGV[at + 1] == '1', tonumber(ARGV[at + 2])
  for i = at + 3, at + 2 + m do
    local kind, request, rest = string.match(ARGV[i], '^(%l)(%S+) (.+)$')
    if kind == 'i' then
      done = done + call('ZREM', H .. 'h:' .. rest .. ':held', request)
    elseif kind == 'f' then
      done = done + settle_start(rest, stamp, failed)
    elseif kind == 'b' then
      local weight, name = string.match(rest, '^(%d+):(.+)$')
      local key, given = H .. 'b:' .. name, 0
      for k = 1, tonumber(weight) do
        local member = 'h:' .. request .. (weight == '1' and '' or '#' .. k)
        given = math.max(given, call('ZREM', key .. ':held', member))
        call('ZREM', key .. ':http', member)
      end
      done = done + given
      if given > 0 then freed[name] = true end
    end
  end
  at = at + 3 + m
end
for name in pairs(freed) do
  local b = budget_of(name)
  if b and now < b.waiting then hand_over(b) end
end
return { epoch, seq, now, done }
