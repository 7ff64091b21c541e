-- The common case in few steps: every rule is an enforced rate kept as a log (http_log.lua), holds no places, and has room.
-- nil, and nothing was written: the parts after this one decide. They would answer the same, at twice the price.
-- Needs: start, surface, HTTP, read; ARGV as in admit.lua. Answers the caller when it decides.
local function admit_plain(read)
  local double, here, keys, found, names = struct.unpack, H .. 'h:' .. surface .. '/', {}, {}, 'A:'
  for i = 1, #read - 1 do
    local packed = read[i + 1]
    local limit, period, in_flight, cost, shadow, kind, crossed, _, at = double('<dddddddd', packed)
    if kind ~= 1 or in_flight > 0 or shadow == 1 or us < crossed or string.find(packed, ' ', at, true) then return nil end
    local name = string.sub(packed, at)
    names = i == 1 and names .. name or names .. ' ' .. name
    keys[i] = here .. name .. '/' .. ARGV[6 + 2 * i] .. ':log'
    found[i] = { limit, period, cost, name }
  end
  if not keys[1] then return nil end
  local texts, stamp = call('MGET', unpack(keys)), us
  for i = 1, #keys do
    local rule, text = found[i], texts[i]
    local used = 0
    if text then
      local newest, edge = double('<d', text), us - rule[2]
      used = #text / 8
      if newest > us + 30000000 then return nil end
      if double('<d', text, used * 8 - 7) <= edge then
        local low = 0
        while low < used do
          local middle = math.floor((low + used) / 2)
          if double('<d', text, middle * 8 + 1) > edge then low = middle + 1 else used = middle end
        end
        texts[i] = string.sub(text, 1, used * 8)
      end
      if used > 0 and newest >= stamp then stamp = newest + 1 end
    end
    rule[5] = used + rule[3]
    if rule[5] > rule[1] then return nil end
  end
  local start, ahead, states = struct.pack('<d', stamp), stamp - us, {}
  for i = 1, #keys do
    local rule, kept, at = found[i], texts[i] or '', 4 * i
    local ms = math.ceil((ahead + rule[2]) / 1000)
    call('SET', keys[i], (rule[3] > 1 and string.rep(start, rule[3]) or start) .. kept, 'PX', ms + 1)
    states[at - 3], states[at - 2], states[at - 1], states[at] = tonumber(ARGV[5 + 2 * i]), rule[1], rule[1] - rule[5], ms
    if rule[5] > 0.8 * rule[1] then call('HINCRBY', HTTP .. ':stats', 'n:' .. rule[4], 1) end
  end
  call('HINCRBY', HTTP .. ':stats', names, 1)
  return { epoch, seq, now, 1, stamp, states, {}, {} }
end
local plain = admit_plain(read)
if plain then return plain end
