/**
 * postlogd - the log service: takes lines from all programs and writes maillog_file
 */
import { ConfigError } from '@posthorn/config/config-error'
import { maillogFile } from '@posthorn/log/maillog-file'
import { findFacility, SyslogSink } from '@posthorn/log/syslog-sink'
import type { MainConfig } from '@posthorn/config/main-config'
import type { ServiceDefinition } from '@posthorn/daemon/run-service'
import { LogWriter } from './log-writer.ts'
import { relayToSyslog } from './syslog-relay.ts'

interface Destination {
  add: (datagram: string) => void
  flush: () => void
}

function openDestination(config: MainConfig): Destination {
  const file = maillogFile(config)
  if (file !== '') return new LogWriter(file)
  const facility = findFacility(config.text('syslog_facility'))
  if (facility === undefined) throw new ConfigError('unknown syslog_facility value')
  const sink = new SyslogSink({ facility, tag: 'postlogd' })
  return {
    add: (datagram) => {
      relayToSyslog(sink, datagram)
    },
    flush: () => undefined,
  }
}

/** A fresh definition: the destination opened before the jail belongs to one process. */
export function definePostlogd(): ServiceDefinition {
  let destination: Destination | undefined
  return {
    program: 'postlogd',
    kind: 'datagram',
    requires: ['alone'],
    usesLimit: 'off',
    watchdogSeconds: (config) => config.seconds('postlogd_watchdog_timeout'),
    beforeJail(context) {
      destination = openDestination(context.config)
    },
    start(context) {
      const opened = (destination ??= openDestination(context.config))
      return {
        datagram: (octets) => {
          opened.add(octets)
        },
        stop: () => {
          opened.flush()
        },
      }
    },
  }
}
