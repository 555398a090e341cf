/**
 * private-network - runs the test file that imports it, before anything else, in a network of its own
 *
 * A network namespace with nothing but the loopback interface, and a mount namespace whose /etc/resolv.conf names
 * 127.0.0.1: both systems then ask the test's name server on port 53, and servers may listen on ports 24 and 25 of any
 * 127.x.y.z and of ::1, whatever else runs on the machine. Needs root, unshare(1), mount(8) and ip(8).
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const INSIDE = 'POSTHORN_TEST_NETWORK'

if (process.env[INSIDE] === undefined) {
  const directory = mkdtempSync(join(tmpdir(), 'parity-network-'))
  const resolvConf = join(directory, 'resolv.conf')
  writeFileSync(
    resolvConf,
    'nameserver 127.0.0.1\nsearch search.test\noptions timeout:1 attempts:1\n',
  )
  const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const { status } = spawnSync(
    'unshare',
    ['--net', '--mount', 'sh', '-c', script, 'sh', resolvConf, ...command],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: 'yes' } },
  )
  rmSync(directory, { recursive: true, force: true })
  process.exit(status ?? 1)
}
