/**
 * run-program - becomes another command of the mail system: our exit status is its exit status
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import type { MainConfig } from '@posthorn/config/main-config'
import { flushLog } from '@posthorn/log/log'
import { fail } from './fail.ts'

/** export_environment: what the programs we start may know of ours. */
export function childEnvironment(config: MainConfig): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {}
  for (const item of config.list('export_environment')) {
    const setting = /^\{?\s*([^=\s{}]+)\s*=\s*(.*?)\s*\}?$/.exec(item)
    if (setting !== null) environment[setting[1] ?? ''] = setting[2] ?? ''
    else if (process.env[item] !== undefined) environment[item] = process.env[item]
  }
  return environment
}

export async function runProgram(
  config: MainConfig,
  path: string,
  words: readonly string[],
): Promise<never> {
  // eslint-disable-next-line n/no-sync -- a command, once
  if (!existsSync(path)) fail(`execute ${path}: No such file or directory`)
  flushLog()
  const environment = { ...childEnvironment(config), PATH: '/usr/bin:/bin:/usr/sbin:/sbin' }
  const child = spawn(path, words, { stdio: 'inherit', env: environment })
  const [code, signal] = (await once(child, 'close')) as unknown[]
  if (typeof signal === 'string') fail(`${path}: killed by ${signal}`)
  // eslint-disable-next-line n/no-process-exit -- the other program has done the work
  process.exit(typeof code === 'number' ? code : 1)
}
