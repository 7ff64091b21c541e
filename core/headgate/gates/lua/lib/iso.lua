-- Needs: clock. Sets: iso, the time as RQ writes it (2026-11-24T23:11:38.000042Z), and stamp (epoch seconds, 1764025898.000042)
-- The calendar of the civil_from_days algorithm; (a - a % b) / b divides whole numbers without a function call.
local rest = sec % 86400
local days = (sec - rest) / 86400 + 719468
local doe = days % 146097
local yoe = doe - (doe - doe % 1460) / 1460 + (doe - doe % 36524) / 36524 - (doe - doe % 146096) / 146096
yoe = (yoe - yoe % 365) / 365
local doy = doe - (365 * yoe + (yoe - yoe % 4) / 4 - (yoe - yoe % 100) / 100)
local mp = 5 * doy + 2
mp = (mp - mp % 153) / 153
local month = mp < 10 and mp + 3 or mp - 9
local first = 153 * mp + 2
local iso = string.format('%d-%02d-%02dT%02d:%02d:%02d', yoe + (days - doe) / 146097 * 400 + (month <= 2 and 1 or 0), month,
  doy - (first - first % 5) / 5 + 1, rest / 3600, rest % 3600 / 60, rest % 60) .. '.' .. micros .. 'Z'
local stamp = time[1] .. '.' .. micros
