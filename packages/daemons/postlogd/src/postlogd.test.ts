import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { SyslogSink } from '@posthorn/log/syslog-sink'
import { DatagramSocket } from '@posthorn/native/datagram'
import { definePostlogd } from './postlogd.ts'
import { relayToSyslog } from './syslog-relay.ts'

t.test('postlogd appends what it receives, in order, and nothing else', async (t) => {
  const directory = t.testdir()
  const config = MainConfig.of({
    maillog_file: `${directory}/log`,
    maillog_file_prefixes: directory,
  })
  const context = createServiceContext(config)
  const definition = definePostlogd()
  await definition.beforeJail?.(context)
  const service = await definition.start(context)
  service.datagram?.('Nov 05 01:02:03 mx postfix/a[1]: one')
  service.datagram?.('Nov 05 01:02:03 mx postfix/b[2]: two\nNov 05 01:02:03 mx postfix/b[2]: three')
  await service.stop?.()
  t.equal(
    readFileSync(`${directory}/log`, 'latin1'),
    'Nov 05 01:02:03 mx postfix/a[1]: one\n' +
      'Nov 05 01:02:03 mx postfix/b[2]: two\nNov 05 01:02:03 mx postfix/b[2]: three\n',
  )
})

t.test('relayToSyslog() drops the first four words', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-'))
  const syslog = DatagramSocket.bind(`${directory}/log`)
  t.teardown(() => {
    syslog.close()
    rmSync(directory, { recursive: true })
  })
  const arrived = new Promise<string>((resolve) => {
    syslog.onMessage(resolve)
  })
  const sink = new SyslogSink({ facility: 2, tag: 'x', socketPath: `${directory}/log` })
  relayToSyslog(sink, 'Nov 05 01:02:03 mx postfix/a[1]: one')
  t.match(await arrived, /^<22>.{15} postfix\/a\[1\]: one$/)
})
