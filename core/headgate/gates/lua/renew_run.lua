#!lua flags=allow-oom
-- A run goes on: its lease, and it is a beat for the store's clock as a worker's is.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  task    ARGV[5]  string  run    ARGV[6]  integer fence
-- Answers {epoch, seq, now, 1 kept or 0 lost: stop}
-- include: start
-- include: task
call('HSET', KEYS[1], 'clock', now)
if not holds(ARGV[5], ARGV[6]) then return { epoch, seq, now, 0 } end
call('HSET', T .. ':run', 'lease_end', now + 20000)
stays()
return { epoch, seq, now, 1 }
