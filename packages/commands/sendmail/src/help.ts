/**
 * help - what sendmail --help prints
 */
export const HELP = `Usage: sendmail [options] [recipient ...]
       mailq
       newaliases

Without a mode: reads a message from standard input and submits it.

Modes:
  -bd, -bl          start the mail system
  -bi, -I           build the alias database, like newaliases
  -bm               submit a message: the default
  -bp               show the queue, like mailq
  -bs               speak SMTP on standard input and output
  -bv               report how the recipients would be delivered; no message is sent
  -q                try to deliver everything that is deferred, now
  -qIqueue_id       try to deliver this deferred message now
  -qRsite           try to deliver what waits for this destination

Options:
  -B body_type      7BIT or 8BITMIME
  -C file           use this main.cf, or the one in this directory
  -F full_name      name of the sender, for a missing From: header
  -f sender         envelope sender; also -r
  -G                mail of others that passes through: no headers are completed
  -i, -oi           a line with a single dot does not end the message
  -N words          report to the sender: never, or of success, failure, delay
  -O requiretls=yes only over verified TLS, or not at all (RFC 8689)
  -oApath           another alias database, for -bi
  -R what           return with failures: full, or hdrs
  -t                take recipients from the message, too
  -V envid          envelope id, for reports
  -v                mail a report of the delivery; twice: log more
  -XV[delimiters]   variable envelope return path
  --help            show this text

-A -c -e -h -L -m -O... -o... -p -U -x and -qinterval are accepted and ignored.
`
