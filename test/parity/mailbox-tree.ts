/**
 * mailbox-tree - what is in a folder of mailboxes, so that two systems' deliveries can be compared
 *
 * Names of maildir files become their shape; dates, queue ids and names of the product are replaced.
 */
import { lstat, readFile, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { comparable } from './both-systems.ts'

/** `path mode uid:gid` of everything below `directory`, sorted, with the content of files. */
export async function mailboxTree(directory: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const stats = await lstat(path)
    const name = shape(path.slice(directory.length + 1))
    const mode = (stats.mode & 0o7777).toString(8)
    const text = entry.isFile() ? `\n${content(await readFile(path, 'latin1'))}` : ''
    found.push(`${name} ${mode} ${stats.uid}:${stats.gid}${text}`)
  }
  return found.sort()
}

function shape(name: string): string {
  return name
    .replace(hostname(), 'HOST')
    .replace(/\b\d{10}\.V[0-9a-f]+I[0-9a-f]+M\d{1,6}\./, 'SECONDS.VdevIinodeMmicros.')
}

function content(text: string): string {
  const dated = text.replace(
    /^(From \S*(?: \S+)? {2})\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}$/gm,
    '$1ASCTIME',
  )
  return comparable(dated).replace(/\b\d{14}\.QUEUEID@/g, 'MESSAGE@')
}
