-- Needs: clock. Sets: iso, the time as RQ writes it (2026-11-24T23:11:38.000042Z), and stamp (epoch seconds, 1764025898.000042)
local days = math.floor(sec / 86400) + 719468
local era = math.floor(days / 146097)
local doe = days - era * 146097
local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
local mp = math.floor((5 * doy + 2) / 153)
local month = mp < 10 and mp + 3 or mp - 9
local year = yoe + era * 400 + (month <= 2 and 1 or 0)
local rest = sec % 86400
local iso = string.format('%d-%02d-%02dT%02d:%02d:%02d', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
  math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60) .. '.' .. micros .. 'Z'
local stamp = time[1] .. '.' .. micros
