-- Opens every script that may write.
-- KEYS[1]  HASH    H:meta (names the cluster slot; every key shares its hash tag)
-- ARGV[1]  string  P, RQ's key prefix
-- ARGV[2]  string  epoch the caller has seen, '' for none
-- ARGV[3]  integer seq the caller has seen
-- Sets: call, P, H, clock's names, epoch, seq, quarantine (ms), full_at (us)
local call, P = redis.call, ARGV[1]
local H = P .. ':hg:'
-- include: clock
local meta = call('HMGET', KEYS[1], 'epoch', 'seq', 'clock', 'quarantine_until', 'full_at')
local epoch, seq, clock = meta[1], tonumber(meta[2]) or 0, tonumber(meta[3]) or now
local quarantine, full_at = tonumber(meta[4]) or 0, tonumber(meta[5]) or 0
if epoch ~= ARGV[2] or seq < tonumber(ARGV[3]) or now > clock + 10000 or now < clock - 20000 then
  -- include: loss
end
