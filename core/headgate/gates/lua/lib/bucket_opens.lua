-- A keyed rate above 256: 128 buckets of period/128, a STRING of packed {width, bucket, starts, ...}, oldest first. Counts
-- whole buckets, so it never admits above the limit and opens at most period/128 late. Needs: key_gates. Sets: at
at = full_at > 0 and full_at + key_period > us and full_at + key_period or 0
local width, stored = key_period / 128, call('GET', Q .. 'key:buckets:' .. name)
local buckets, starts = stored and cmsgpack.unpack(stored) or { width }, 0
if buckets[1] ~= width then -- another period: full up to the last start it knows
  at = math.max(at, (buckets[#buckets - 1] + 1) * buckets[1] + key_period)
else
  local bucket, i = math.floor(us / width), #buckets - 1
  -- A clock that stepped back a little: the newest start is now.
  if i > 1 and buckets[i] * width <= us + 30000000 then bucket = math.max(bucket, buckets[i]) end
  while i > 1 and buckets[i] >= bucket - 128 do
    if buckets[i] <= bucket then starts = starts + buckets[i + 1] end
    if starts >= key_limit then
      at = math.max(at, math.ceil((buckets[i] + 129) * width))
      break
    end
    i = i - 2
  end
end
if at <= us then at = 0 end
