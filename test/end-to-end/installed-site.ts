/**
 * installed-site - the programs as `make install` lays them out, below a directory that every user can enter
 *
 * Ordinary users need set-gid commands, and those only exist where root has installed them.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Test } from 'tap'
import { ROOT } from '../../scripts/instance.ts'

export interface InstalledSite {
  /** command_directory */
  readonly commands: string
  /** daemon_directory */
  readonly daemons: string
  readonly node: string
}

export async function installSite(t: Test): Promise<InstalledSite> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-site-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  await execa(process.execPath, [
    join(ROOT, 'scripts/install.ts'),
    `--prefix=${directory}`,
    '--no-configuration',
  ])
  const home = join(directory, 'lib/posthorn')
  const site = {
    commands: join(home, 'sbin'),
    daemons: join(home, 'libexec'),
    node: join(home, 'bin/node'),
  }
  return site
}
