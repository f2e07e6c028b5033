/**
 * `704 ms`, `1.5 s`, `4 min 10 s`, `2 h 05 min`, `3 d 4 h`: the form of durations in pages and messages. `coarse` leaves
 * milliseconds and small rests out.
 */
export function durationText(ms: number, coarse = false): string {
  if (ms < 1000) return coarse ? '0 s' : `${Math.round(ms)} ms`
  if (ms < 60_000) return coarse || ms >= 10_000 ? `${Math.floor(ms / 1000)} s` : `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1000)
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  if (minutes < 60) return coarse || rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
  const [hours, left] = [Math.floor(minutes / 60), minutes % 60]
  if (hours < 48) return `${hours} h ${String(left).padStart(2, '0')} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}
