/**
 * queue-tools - both systems' queue commands read and handle the same queue, whoever wrote it
 *
 * A queue with deferred mail is written by one system, which then stops. postcat, postqueue and postsuper of
 * both are run over it and must print the same. Needs root and Postfix 3.7.
 */
import { cp, mkdtemp, readFile, readdir, rm, chmod, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { Instance, ROOT, type System } from '../../scripts/instance.ts'

const COMMANDS: Record<System, string> = {
  postfix: '/usr/sbin',
  posthorn: join(ROOT, 'build/sbin'),
}
const DAEMONS: Record<System, string> = {
  postfix: '/usr/lib/postfix/sbin',
  posthorn: join(ROOT, 'build/libexec'),
}

/** Configuration directories for the commands of each system, over one queue. */
async function toolConfigurations(instance: Instance): Promise<Record<System, string>> {
  const found: Partial<Record<System, string>> = {}
  for (const system of ['postfix', 'posthorn'] as const) {
    const directory = join(instance.directory, `etc-${system}`)
    await cp(instance.configDirectory, directory, { recursive: true })
    const file = join(directory, 'main.cf')
    const text = await readFile(file, 'utf8')
    await writeFile(
      file,
      text
        .replace(/^daemon_directory = .*/m, `daemon_directory = ${DAEMONS[system]}`)
        .replace(/^command_directory = .*/m, `command_directory = ${COMMANDS[system]}`)
        .replace(
          /^maillog_file = .*/m,
          `maillog_file = ${join(instance.directory, `${system}.log`)}`,
        ),
    )
    // postsuper logs as the queue's owner, who may not create a file there
    await writeFile(join(instance.directory, `${system}.log`), '')
    await chmod(join(instance.directory, `${system}.log`), 0o666)
    found[system] = directory
  }
  return found as Record<System, string>
}

async function writeQueue(t: Test, system: System): Promise<Instance> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-tools-'))
  await chmod(directory, 0o755)
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: system,
    daemons: system,
    owner: 'postfix',
    // nobody listens there, so everything is deferred
    main: { relayhost: `[127.0.0.1]:${await freePort()}`, always_bcc: 'copy@remote.test' },
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.example.test', '250')
  await client.send(
    'one@example.test',
    ['a@remote.test', '"b c"@remote.test'],
    'Subject: one\r\n\r\nhello',
  )
  await client.send(
    '',
    ['d@remote.test'],
    `From: x\r\n y <x@y.test>\r\n\r\n${'long '.repeat(900)}\r\n..\r\nend`,
  )
  await client.send('three@example.test', ['e@remote.test'], '')
  await client.quit()
  await waitFor(
    async () => (await instance.queued('deferred')).length === 3,
    'three deferred messages',
    20_000,
  )
  await instance.stop()
  return instance
}

for (const writer of ['posthorn', 'postfix'] as const) {
  t.test(`a queue written by ${writer}`, async (t) => {
    const instance = await writeQueue(t, writer)
    const configurations = await toolConfigurations(instance)
    const tool = async (
      system: System,
      name: string,
      args: readonly string[],
      input = '',
    ): Promise<string> => {
      const result = await execa(
        '/usr/bin/env',
        [
          '-i',
          'PATH=/usr/sbin:/usr/bin',
          join(COMMANDS[system], name),
          '-c',
          configurations[system],
          ...args,
        ],
        {
          reject: false,
          input,
        },
      )
      // What stands in front of a message (path or tag), and talk about network interfaces, is the writer's own.
      const text = `${result.stdout}\n${result.stderr}`
        .split('\n')
        .filter((line) => !/(name_mask|inet_addr_local): /.test(line))
        .map((line) => line.replace(/^(\S*\/)?post[a-z]+(\/post[a-z]+)?: /, ''))
        .join('\n')
        .trimEnd()
      return `exit ${result.exitCode}\n${text}`
    }
    const same = async (name: string, args: readonly string[], input = ''): Promise<void> => {
      const [theirs, ours] = [
        await tool('postfix', name, args, input),
        await tool('posthorn', name, args, input),
      ]
      t.equal(ours, theirs, `${name} ${args.join(' ')}`)
    }
    const ids = (await instance.queued('deferred')).map((path) => basename(path))
    for (const id of ids) {
      for (const args of [
        ['-q', id],
        ['-vq', id],
        ['-eq', id],
        ['-hq', id],
        ['-bq', id],
        ['-oq', id],
        ['-bhq', id],
      ]) {
        await same('postcat', args)
      }
    }
    await same('postcat', ['-q', 'ABCDEF0123'])
    await same('postqueue', ['-p'])
    await same('postqueue', ['-j'])
    await same('postsuper', ['-s'])
    await same('postsuper', ['-d', 'ABCDEF0123'])

    const holds = async (): Promise<string[]> => readdir(join(instance.queueDirectory, 'hold'))
    for (const system of ['postfix', 'posthorn'] as const) {
      t.match(
        await tool(system, 'postsuper', ['-h', 'ALL']),
        'Placed on hold: 3 messages',
        `${system} holds`,
      )
      t.equal((await holds()).length, 3)
      await same('postqueue', ['-p'])
      t.match(
        await tool(system, 'postsuper', ['-H', '-'], `${ids.join('\n')}\n`),
        'Released from hold: 3 messages',
      )
      t.equal((await holds()).length, 0, `${system} releases`)
    }
    t.match(await tool('posthorn', 'postsuper', ['-e', ids[0] ?? '']), 'Force-expired: 1 message')
    await same('postqueue', ['-p'])
    t.match(await tool('posthorn', 'postsuper', ['-d', ids[0] ?? '']), 'Deleted: 1 message')
    t.match(await tool('postfix', 'postsuper', ['-d', ids[1] ?? '']), 'Deleted: 1 message')
    t.match(await tool('posthorn', 'postsuper', ['-r', ids[2] ?? '']), 'Requeued: 1 message')
    t.same(await instance.queued('deferred'), [], 'nothing is left in deferred')
    t.equal((await instance.queued('maildrop')).length, 1, 'the requeued message waits for pickup')
    await same('postqueue', ['-p'])
  })
}
