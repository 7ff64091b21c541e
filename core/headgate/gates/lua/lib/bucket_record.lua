-- Count one start in its bucket (bucket_opens.lua) and forget what no window can reach. Needs: take_key (name)
local width, stored = key_period / 128, call('GET', Q .. 'key:buckets:' .. name)
local bucket, before, kept = math.floor(us / width), stored and cmsgpack.unpack(stored) or { width }, { width }
if before[1] == width and #before > 1 and before[#before - 1] * width <= us + 30000000 then
  bucket = math.max(bucket, before[#before - 1])
end
for i = 2, before[1] == width and #before or 0, 2 do
  if before[i] >= bucket - 128 and before[i] <= bucket then
    kept[#kept + 1] = before[i]
    kept[#kept + 1] = before[i + 1]
  end
end
if #kept > 1 and kept[#kept - 1] == bucket then
  kept[#kept] = kept[#kept] + 1
else
  kept[#kept + 1] = bucket
  kept[#kept + 1] = 1
end
call('SET', Q .. 'key:buckets:' .. name, cmsgpack.pack(kept), 'PX', math.ceil((key_period + width) / 1000))
