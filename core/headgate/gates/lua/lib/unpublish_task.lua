-- A run that is under way keeps its lease, so that a task declared anew does not overlap it; the rest goes. Needs: start, queue
local key = H .. 't:' .. queue
local lease_end = tonumber(call('HGET', key .. ':run', 'lease_end') or 0)
call('DEL', key, key .. ':ticks')
if lease_end > now then
  call('HDEL', key .. ':run', 'last_run', 'last_fence', 'last_started', 'last_ended', 'last_success', 'last_outcome', 'last_tick',
    'last_skip', 'skipped', 'in_a_row', 'cycles')
  call('PEXPIRE', key .. ':run', math.max(lease_end - now, 1))
else
  call('DEL', key .. ':run')
end
