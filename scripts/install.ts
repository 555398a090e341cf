/**
 * install - lay the built programs, the runtime and stock configuration out on a system
 *
 * Usage: make install DESTDIR= PREFIX=/usr/local
 *
 *   PREFIX/lib/posthorn/bin/node     the pinned runtime
 *   PREFIX/lib/posthorn/libexec/*    daemons and the addon (daemon_directory)
 *   PREFIX/lib/posthorn/sbin/*       commands (command_directory)
 *   PREFIX/lib/posthorn/bundle/*     what the set-gid commands start (packages/lib/native/setgid)
 *   PREFIX/sbin/*                    links to the commands
 *   PREFIX/share/man/man[18]/*       manual pages
 *   /etc/postfix/*                   stock configuration, only where no file stands yet
 *
 * DESTDIR is put in front of every path that is written, and appears in none of the files. The set-gid bit is given when
 * root installs and the group postdrop exists; otherwise `postfix set-permissions` gives it later.
 */
import {
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { ROOT } from './instance.ts'

const values = yargs(hideBin(process.argv))
  .usage('$0 [options]: lay out the built programs on a system')
  .option('destdir', {
    type: 'string',
    default: '',
    describe: 'put in front of every path written',
  })
  .option('prefix', { type: 'string', default: '/usr/local', describe: 'where the programs go' })
  .option('configuration', {
    type: 'boolean',
    default: true,
    describe:
      'lay out /etc/postfix where it has no such files (--no-configuration: leave it alone)',
  })
  .strict()
  .parseSync()
const home = `${values.prefix}/lib/posthorn`
const node = `${home}/bin/node`
const SET_GID_GROUP = 'postdrop'
const SET_GID_COMMANDS = ['postdrop', 'postqueue']
const at = (path: string): string => `${values.destdir}${path}`

/** Copies one folder of build/, with the first line of each program naming the installed runtime. */
async function installPrograms(folder: 'sbin' | 'libexec'): Promise<string[]> {
  const target = at(`${home}/${folder}`)
  await mkdir(target, { recursive: true })
  const names = await readdir(join(ROOT, 'build', folder))
  for (const name of names) {
    const source = join(ROOT, 'build', folder, name)
    const destination = join(target, name)
    await rm(destination, { force: true })
    if (lstatSync(source).isSymbolicLink()) {
      await symlink(await readlink(source), destination)
    } else if (name.endsWith('.node')) {
      await copyFile(source, destination)
    } else {
      const text = await readFile(source, 'utf8')
      await writeFile(destination, text.replace(/^#!\S+/, `#!${node}`))
      await chmod(destination, 0o755)
    }
  }
  return names
}

/**
 * Scripts cannot be set-gid: these commands become small executables that start Node. Returns whether users may
 * submit with them already.
 */
async function installLaunchers(): Promise<boolean> {
  await mkdir(at(`${home}/bundle`), { recursive: true })
  const group = await execa('getent', ['group', SET_GID_GROUP], { reject: false })
  const gid = Number(group.stdout.split(':')[2])
  const isPermitted = process.getuid?.() === 0 && Number.isInteger(gid)
  for (const name of SET_GID_COMMANDS) {
    const bundle = `${home}/bundle/${name}`
    const launcher = at(`${home}/sbin/${name}`)
    await rename(launcher, at(bundle))
    const compile = join(ROOT, 'packages/lib/native/setgid/compile.sh')
    await execa(compile, [node, bundle, launcher], { stderr: 'inherit' })
    if (!isPermitted) continue
    await chown(launcher, 0, gid)
    await chmod(launcher, 0o2755) // last: changing the owner clears the bit
  }
  return isPermitted
}

/** A main.cf that names the directories of another system would start that system's programs. */
async function adviseDirectories(mainFile: string): Promise<void> {
  const text = await readFile(mainFile, 'utf8')
  for (const [name, folder] of [
    ['daemon_directory', 'libexec'],
    ['command_directory', 'sbin'],
  ]) {
    const [line] = new RegExp(`^${name}\\s*=.*`, 'm').exec(text) ?? []
    if (line === undefined || line.includes(`${home}/${folder}`)) continue
    console.log(`install: in ${mainFile}, "${line}" must become "${name} = ${home}/${folder}"`)
  }
}

async function installConfiguration(): Promise<void> {
  const directory = at('/etc/postfix')
  await mkdir(directory, { recursive: true })
  for (const name of await readdir(join(ROOT, 'conf'))) {
    const destination = join(directory, name)
    if (existsSync(destination)) {
      console.log(`install: ${destination} is there and stays as it is`)
      if (name === 'main.cf') await adviseDirectories(destination)
      continue
    }
    const text = await readFile(join(ROOT, 'conf', name), 'utf8')
    await writeFile(
      destination,
      text
        .replace(/^(command_directory\s*=).*/m, `$1 ${home}/sbin`)
        .replace(/^(daemon_directory\s*=).*/m, `$1 ${home}/libexec`),
    )
  }
}

await mkdir(at(`${home}/bin`), { recursive: true })
await cp(process.execPath, at(node))
await copyFile(join(ROOT, 'build/package.json'), at(`${home}/package.json`))
await installPrograms('libexec')
const commands = await installPrograms('sbin')
const isPermitted = await installLaunchers()
await mkdir(at(`${values.prefix}/sbin`), { recursive: true })
for (const name of commands) {
  const link = at(`${values.prefix}/sbin/${name}`)
  await rm(link, { force: true })
  await symlink(`../lib/posthorn/sbin/${name}`, link)
}
for (const section of ['man1', 'man8']) {
  const target = at(`${values.prefix}/share/man/${section}`)
  await cp(join(ROOT, 'docs/man', section), target, { recursive: true })
}
if (values.configuration) await installConfiguration()
console.log(
  `install: ${commands.length} commands in ${at(`${values.prefix}/sbin`)}, daemons in ${at(`${home}/libexec`)}`,
)
if (!isPermitted) {
  console.log(
    `install: users can submit mail when root has run: groupadd ${SET_GID_GROUP}; postfix set-permissions`,
  )
}
