/**
 * config-file - tls_config_file, which Node.js does not read
 *
 * It has no configuration of OpenSSL at run time: a file that is there is without effect, and a warning; one that is not there
 * disables TLS, as in Postfix.
 * Source: Postfix 3.7 postconf(5) tls_config_file.
 */
import { access, constants } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { logOpenProblem } from './library-problem.ts'

export async function isConfigFileUsable(path: string): Promise<boolean> {
  if (path === 'default' || path === 'none' || path === '') return true
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    log.warning(
      `error loading the 'global' settings from the ${path} OpenSSL configuration file, disabling TLS support`,
    )
    logOpenProblem(path, error)
    return false
  }
  log.warning(`tls_config_file = ${path} is ignored: OpenSSL has been initialized before`)
  return true
}
