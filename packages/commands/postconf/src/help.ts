/**
 * help - what postconf --help prints
 */
export const HELP = `Usage: postconf [option...] [name...]
       postconf [-c config_dir] [-e] name=value...
       postconf [-c config_dir] -X|-# name...
       postconf [-c config_dir] -M|-F|-P [-e] service/type...=value...
       postconf [-c config_dir] -MX|-M#|-PX service/type...

Shows or changes the configuration. Without a name: all parameters.

What to show:
  -d                defaults, not what is set
  -n                only what main.cf sets
  -C class          only parameters of these classes: builtin, service, user, all
  -M [name[/type]]  services of master.cf
  -F [name[/type[/field]]]     fields of master.cf
  -P [name[/type[/parameter]]] -o settings in master.cf
  -l                ways to lock a mailbox
  -m                types of lookup tables
  -b [file]         texts of bounce(8) in notices, expanded; of this template file ('': the built-in ones)
  -t [file]         the same, as they are written
  -a, -A, -T mode   SASL and TLS: nothing to show yet

How:
  -f                fold long lines
  -h                values without names
  -H                names without values
  -o name=value     as if main.cf said so
  -q                no warnings about parameters that nobody uses
  -x                with $name expanded

Changes to main.cf, and with -M, -F and -P to master.cf:
  -e                set (may be left out): name=value, -M service/type='entry',
                    -F service/type/field=value, -P service/type/parameter=value
  -X                remove: name, -M service/type, -P service/type/parameter
  -#                make a comment of it: name, -M service/type

  -c config_dir     use the main.cf and master.cf in this directory
  -v                accepted
  --help            show this text
`
