/**
 * syslog-relay - passes lines on to syslog
 *
 * maillog_file was emptied while older processes still send here. Their lines lose the first four words
 * (month, day, time, host), which syslog writes itself. Source: Postfix 3.7 postlogd(8).
 */
import type { SyslogSink } from '@posthorn/log/syslog-sink'

const FIRST_FOUR_WORDS = /^(?:\S+ +){4}/

/** Relays one datagram; a line that does not look like ours is dropped. */
export function relayToSyslog(sink: SyslogSink, datagram: string): void {
  for (const line of datagram.split('\n')) {
    const head = FIRST_FOUR_WORDS.exec(line)
    if (head !== null) sink.relay(line.slice(head[0].length))
  }
  sink.flush()
}
