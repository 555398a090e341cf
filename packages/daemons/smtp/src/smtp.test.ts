import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import type { Client } from '@posthorn/daemon/service'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { openClientTables } from './client-tables.ts'
import { defineSmtp } from './smtp.ts'

t.test('defineSmtp() leaves when a table has changed', async (t) => {
  const reasons: string[] = []
  const definition = defineSmtp('smtp', (config, protocol) => ({
    ...openClientTables(config, protocol),
    outdated: () => reasons[0],
  }))
  const left: string[] = []
  const context = {
    ...createServiceContext(MainConfig.of({ inet_interfaces: '127.0.0.1' })),
    exitWhenIdle: (why: string) => left.push(why),
  }
  const service = await definition.start(context)
  const serve = async (): Promise<void> => {
    const [ours, theirs] = socketPair()
    const manager = new ByteStream(ours, { timeoutMs: 5000 })
    const agent = new ByteStream(theirs, { timeoutMs: 5000 })
    const client: Client = {
      peer: { family: 'unix', path: '' },
      local: { family: 'unix', path: '' },
      arrival: 'accepted',
      signal: new AbortController().signal,
      stay: () => false,
    }
    const served = service.serve?.(agent, client)
    manager.close()
    await served?.catch(() => undefined)
    agent.close()
  }
  await serve()
  t.same(left, [])
  reasons.push('table hash:/x has changed -- restarting')
  await serve()
  t.same(left, reasons)
})
