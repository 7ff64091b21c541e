-- Needs: start, policy, budget, readd, hold_places, iso; queue, instance, slots.
-- One slot = one RQ worker: heartbeat, ttl, and what its counters grew by since its last beat. False: not registered (any more).
local function beat_worker(slot, successes, seconds)
  local worker, own = P .. ':worker:' .. slot, H .. 'slot:' .. slot
  call('PEXPIRE', own, 60000)
  if call('EXISTS', worker) == 0 then return false end
  call('HSET', worker, 'last_heartbeat', iso)
  call('EXPIRE', worker, 90)
  call('EXPIRE', worker .. ':executions', 90)
  local last = call('HMGET', own, 'successes', 'seconds')
  local before, spent = tonumber(last[1]) or 0, tonumber(last[2]) or 0
  if successes ~= before or seconds ~= spent then
    if successes < before or seconds < spent then before, spent = 0, 0 end -- a new process under the old name
    call('HINCRBY', worker, 'successful_job_count', successes - before)
    call('HINCRBYFLOAT', worker, 'total_working_time', string.format('%.6f', seconds - spent))
    call('HSET', own, 'successes', successes, 'seconds', seconds)
    call('PEXPIRE', own, 60000)
  end
  return true
end

-- A lease that lapsed but was not reaped may go on if nobody took its places.
local function has_room(places)
  local room = total == 0 or call('ZCOUNT', Q .. 'held', alive, '+inf') < total
  for i = 1, #places do
    local weight, name = string.match(places[i], '^b(%d+):(.+)$')
    local b = name and budget_of(name)
    if b then
      room = room and b.free >= tonumber(weight)
    elseif not name and key_total > 0 then
      room = room and call('ZCOUNT', Q .. 'key:held:' .. string.sub(places[i], 2), alive, '+inf') < key_total
    end
  end
  return room
end

local function beat_holding(slot, job, execution_id, places)
  local member, job_key, answer = job .. ':' .. execution_id, P .. ':job:' .. job, 'kept'
  local lease = tonumber(call('ZSCORE', Q .. 'held', member))
  if not lease then
    if quarantine <= now or not readd(job, execution_id, slot) then return 'gone' end
    answer = 'readded'
  elseif lease <= now and quarantine <= now and not has_room(places) then
    return 'gone'
  end
  call('ZADD', Q .. 'held', 'XX', 'GT', now + 20000, member)
  hold_places(member, execution_id, places, now + 20000)
  local read = call('HMGET', job_key, 'timeout', 'status')
  if read[2] then
    local ttl = tonumber(read[1]) or 180
    ttl = (ttl < 0 or ttl > 30) and 90 or ttl + 60
    call('HSET', job_key, 'last_heartbeat', iso)
    if call('EXPIRE', P .. ':execution:' .. member, ttl) == 1 then
      call('HSET', P .. ':execution:' .. member, 'last_heartbeat', stamp)
    end
    call('ZADD', P .. ':executions:' .. job, 'XX', sec + ttl + 60, execution_id)
    call('EXPIRE', P .. ':executions:' .. job, ttl + 60)
    call('ZADD', P .. ':wip:' .. queue, 'XX', sec + ttl, member)
  end
  return answer
end

-- The pod itself: its acknowledgement, for three renewals. Without slots it says goodbye.
local function beat_instance(busy, short_of_memory)
  local own = H .. 'inst:' .. instance
  if slots == 0 then
    call('DEL', own, H .. 'w:' .. instance .. ':starts')
    call('ZREM', H .. 'insts', instance)
    call('ZREM', Q .. 'wait', instance)
    call('ZREM', Q .. 'rwait', instance)
    return
  end
  call('HSET', own, 'pod', ARGV[6], 'queue', queue, 'revision', ARGV[7], 'slots', slots, 'busy', busy, 'at', now,
    'memory', short_of_memory)
  call('PEXPIRE', own, 15000)
  call('ZADD', H .. 'insts', now, instance)
  call('ZREMRANGEBYSCORE', H .. 'insts', '-inf', now - 15000)
  call('PEXPIRE', H .. 'insts', 15000)
  call('PEXPIRE', H .. 'w:' .. instance .. ':starts', math.max(math.ceil(worker_period / 1000), 15000))
  -- What lapsed counts nowhere; nobody else drops a reservation that was not used, or a lost place of an earlier policy.
  for name in string.gmatch(shares, 'b%d+:(%S+)') do
    call('ZREMRANGEBYSCORE', H .. 'b:' .. name .. ':held', '-inf', now)
    call('ZREMRANGEBYSCORE', H .. 'b:' .. name .. ':http', '-inf', now)
  end
end
