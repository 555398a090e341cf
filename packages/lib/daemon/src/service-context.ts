/**
 * service-context - makes a ServiceContext
 *
 * The skeleton makes one from its command line; a test makes one by hand, calls `definition.start(context)`
 * and serves one end of a socket pair, without master(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { unlimitedFlow } from './flow-control.ts'
import type { ServiceContext } from './service.ts'

/** A context with the values of a process on its own where `given` is silent. */
export function createServiceContext(
  config: MainConfig,
  given: Partial<Omit<ServiceContext, 'config'>> = {},
): ServiceContext {
  return {
    serviceName: 'test',
    args: [],
    flowControl: unlimitedFlow,
    isAlone: false,
    concurrency: 1,
    maxProcesses: undefined,
    isVerbose: false,
    exitWhenIdle: () => undefined,
    ...given,
    config,
  }
}
