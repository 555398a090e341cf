/**
 * ctime - a time as ctime(3) prints it, without line end
 *
 * Queue listings show it, in the time zone of the process: `Fri Nov 20 23:03:46 2026`.
 */
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

export function formatCtime(seconds: number): string {
  const time = new Date(seconds * 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = String(time.getDate()).padStart(2)
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
  return `${DAYS[time.getDay()] ?? ''} ${MONTHS[time.getMonth()] ?? ''} ${day} ${clock} ${time.getFullYear()}`
}
