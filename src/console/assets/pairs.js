/** For stored pairs: the remaining time counts down. */
const SECOND_MS = 1000

/** Texts as those of the page: `45 s`, `12 min`, `3 h 05 min`, `4 d 2 h`. */
function leftText(ms) {
  const seconds = Math.max(0, Math.floor(ms / SECOND_MS))
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  if (minutes < 1) return `${seconds} s`
  if (hours < 1) return minutes < 5 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

setInterval(() => {
  for (const time of document.querySelectorAll('[data-left]')) {
    time.textContent = leftText(Date.parse(time.dateTime) - Date.now())
  }
}, SECOND_MS)
