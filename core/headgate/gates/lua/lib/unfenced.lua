-- Its lease is not there. Answered before: say the same. Data was lost: take it in again. Else: GONE. Needs: finish
finished, fenced = 'gone', false
local before = call('HGET', H .. 'slot:' .. slot, 'done')
if before == ended_execution or before and string.sub(before, 1, #ended_execution + 1) == ended_execution .. '=' then
  finished = before == ended_execution and 'ok' or string.sub(before, #ended_execution + 2)
elseif quarantine > now and readd(ended, ended_execution, slot) then
  call('ZREM', Q .. 'held', old)
  finished, fenced = 'ok', true
end
