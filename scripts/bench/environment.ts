/**
 * environment - what the figures were measured on, in one line
 */
import { readFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { execa } from 'execa'

export interface Environment {
  readonly date: string
  readonly cpu: string
  readonly kernel: string
  readonly fileSystem: string
  readonly node: string
  readonly postfix: string
}

/** The type of the file system that holds the directory: the mount with the longest path above it. */
async function fileSystemOf(directory: string): Promise<string> {
  let best = { path: '', type: 'unknown file system' }
  for (const line of (await readFile('/proc/self/mounts', 'utf8')).split('\n')) {
    const [, path = '', type = ''] = line.split(' ')
    const isAbove = path !== '' && `${directory}/`.startsWith(path === '/' ? '/' : `${path}/`)
    if (isAbove && path.length >= best.path.length) best = { path, type }
  }
  return best.type
}

/** Which Node runs the daemons: the script must be run with the same one. */
export async function describeEnvironment(directory: string): Promise<Environment> {
  const { stdout } = await execa('postconf', ['-dh', 'mail_version'])
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
    kernel: `Linux ${release()}`,
    fileSystem: await fileSystemOf(directory),
    node: `Node ${process.versions.node}`,
    postfix: `Postfix ${stdout.trim()}`,
  }
}
