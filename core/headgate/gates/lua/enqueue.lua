#!lua
-- Queue a job as RQ does, within the policy's backlog. No allow-oom: above maxmemory nothing new is taken.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  job id
-- ARGV[6]  string  idempotency key, '' for none; remembered for 24 hours
-- ARGV[7]  1: at the front
-- ARGV[8]  integer RQ's queue ttl in seconds, 0 for none
-- ARGV[9..] pairs  fields of the job hash
-- Answers {epoch, seq, now, 'queued', length} {.., 'exists', job id} {.., 'full', length, limit}
-- include: start
local queue, job = ARGV[4], ARGV[5]
-- include: policy
local list, known = P .. ':queue:' .. queue, H .. 'idem:' .. queue .. ':' .. ARGV[6]
local earlier = ARGV[6] ~= '' and call('GET', known) or call('EXISTS', P .. ':job:' .. job) == 1 and job
if earlier then return { epoch, seq, now, 'exists', earlier } end
local length = call('LLEN', list)
if backlog > 0 and length >= backlog then return { epoch, seq, now, 'full', length, backlog } end
call('SADD', P .. ':queues', list)
call('HSET', P .. ':job:' .. job, unpack(ARGV, 9))
if tonumber(ARGV[8]) > 0 then call('EXPIRE', P .. ':job:' .. job, ARGV[8]) end
length = call(ARGV[7] == '1' and 'LPUSH' or 'RPUSH', list, job)
if ARGV[6] ~= '' then call('SET', known, job, 'EX', 86400) end
return { epoch, seq, now, 'queued', length }
