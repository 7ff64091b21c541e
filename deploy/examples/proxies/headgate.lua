-- The action `lua.headgate` for haproxy-authz.cfg: asks headgate-api, and answers for it when the request may not start.
-- HEADGATE_TOKEN in HAProxy's environment is a token of scope proxy.
local URL = "http://127.0.0.1:9190/authz/api?proxy=haproxy"
local OWN = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true, ["expect"] = true,
  ["upgrade"] = true, ["host"] = true }
local token = os.getenv("HEADGATE_TOKEN")

-- The client's own headers, every line of them, but nothing that could pass for HAProxy's word.
local function headers_for(txn)
  local sent = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not OWN[name] and not string.match(name, "^x%-original%-") and not string.match(name, "^x%-headgate%-") then
      sent[name] = {}
      for i = 0, #values do sent[name][#sent[name] + 1] = values[i] end
    end
  end
  sent["x-headgate-token"] = { token }
  sent["x-original-method"] = { txn.sf:method() }
  sent["x-original-uri"] = { txn.sf:url() }
  sent["x-original-host"] = { txn.sf:req_hdr("host") or "" }
  sent["x-original-client"] = { txn.sf:src() }
  return sent
end

core.register_action("headgate", { "http-req" }, function(txn)
  local answer = core.httpclient():get({ url = URL, headers = headers_for(txn) })
  if answer and answer.status == 200 then
    for _, name in ipairs({ "ratelimit", "ratelimit-policy" }) do
      local value = answer.headers[name]
      if value then txn:set_var("txn." .. string.gsub(name, "-", "_"), value[0]) end
    end
    return
  end
  local reply = txn:reply()
  local refused = answer and (answer.status == 429 or answer.status == 503)
  reply:set_status(refused and answer.status or 503)
  if refused then
    for _, name in ipairs({ "content-type", "retry-after", "ratelimit", "ratelimit-policy", "cache-control" }) do
      if answer.headers[name] then reply:add_header(name, answer.headers[name][0]) end
    end
    reply:set_body(answer.body)
  end
  txn:done(reply)
end)
