/**
 * build - one bundled, executable file per program
 *
 * packages/commands/NAME/src/main.ts becomes build/sbin/NAME, packages/daemons/NAME/src/main.ts becomes
 * build/libexec/NAME. The first line names the pinned Node by its absolute path, because master(8) hands
 * down an environment without PATH. A file may be started through a symbolic link: Node resolves the link
 * before it looks for the addon beside the daemons.
 */
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const root = dirname(import.meta.dirname)
const node = process.execPath

/**
 * The young part of the heap; an interpreter line has room for one option. By default it grows to 64 MB a process, for no
 * measurable gain (docs/performance.md).
 */
const HEAP = '--max-semi-space-size=8'

/** Names that a program answers to besides its own. */
const links: Record<string, readonly string[]> = {
  'sbin/sendmail': ['sbin/mailq', 'sbin/newaliases'],
  'sbin/postfix': ['sbin/posthorn'],
  'sbin/postmap': ['sbin/postalias'],
  'libexec/smtp': ['libexec/lmtp'],
}

async function programs(folder: string, into: string): Promise<[string, string][]> {
  const names = await readdir(join(root, 'packages', folder))
  return names
    .map((name): [string, string] => [
      join(root, 'packages', folder, name, 'src/main.ts'),
      `${into}/${name}`,
    ])
    .filter(([source]) => existsSync(source))
}

async function bundle(source: string, target: string, nativePath: string): Promise<void> {
  const outfile = join(root, 'build', target)
  const { outputFiles } = await build({
    entryPoints: [source],
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'import.meta.url': '"file:///"', 'import.meta.dirname': '""' },
  })
  // a source may name an interpreter of its own; the executable names the pinned one
  const text = (outputFiles[0]?.text ?? '').replace(/^#!.*\n/, '')
  const native = `require('node:path').join(__dirname, ${JSON.stringify(nativePath)})`
  await rm(outfile, { force: true })
  await writeFile(outfile, `#!${node} ${HEAP}\nglobalThis.posthornNativePath = ${native}\n${text}`)
  await chmod(outfile, 0o755)
}

await mkdir(join(root, 'build/sbin'), { recursive: true })
await mkdir(join(root, 'build/libexec'), { recursive: true })
// the bundles are CommonJS, which needs no loader and starts faster; the sources around them are not
await writeFile(join(root, 'build/package.json'), '{ "type": "commonjs" }\n')
const all = [...(await programs('commands', 'sbin')), ...(await programs('daemons', 'libexec'))]
await Promise.all(
  all.map(async ([source, target]) => {
    const native = target.startsWith('sbin/') ? '../libexec' : '.'
    await bundle(source, target, `${native}/posthorn-native.node`)
  }),
)
for (const [target, names] of Object.entries(links)) {
  if (!existsSync(join(root, 'build', target))) continue
  for (const name of names) {
    await rm(join(root, 'build', name), { force: true })
    await symlink(target.replace(/^.*\//, ''), join(root, 'build', name))
  }
}
console.log(`build: ${all.length} programs`)
