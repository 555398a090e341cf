/**
 * program-directories - where the programs are that belong to this one
 *
 * The default of daemon_directory and command_directory. A site's existing main.cf seldom sets them, and what it starts
 * must be the programs it has installed, wherever that was. Sources that run unbundled have Postfix's own defaults.
 *
 *   HOME/libexec   daemons and the addon
 *   HOME/sbin      commands
 */
import { dirname, join } from 'node:path'

const addon = globalThis.posthornNativePath
const home = addon === undefined ? undefined : dirname(dirname(addon))

export const PROGRAM_DIRECTORIES = {
  daemon: home === undefined ? '/usr/libexec/postfix' : join(home, 'libexec'),
  command: home === undefined ? '/usr/sbin' : join(home, 'sbin'),
}
