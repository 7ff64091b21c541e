-- Needs: publish. What runs goes on, and a run that outlived an earlier declaration is still in the way of the next one.
call('HSET', key, 'revision', revision, 'doc', ARGV[6])
call('PERSIST', key .. ':run')
