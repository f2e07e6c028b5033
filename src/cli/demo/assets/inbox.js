// Reads the list again every two seconds. The shown message stays; the first one that arrives is opened.
const list = document.getElementById('list')

async function refresh() {
  try {
    const response = await fetch(location.href, { cache: 'no-store' })
    if (!response.ok) return
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    const fresh = page.getElementById('list')
    if (fresh.childElementCount > 0 && list.childElementCount === 0) return location.reload()
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null
    const current = list.querySelector('[aria-current]')?.getAttribute('href')
    for (const link of fresh.querySelectorAll('a')) {
      if (link.getAttribute('href') === current) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    if (fresh.innerHTML === list.innerHTML) return
    list.replaceChildren(...fresh.children)
    if (focused) list.querySelector(`a[href="${focused}"]`)?.focus()
  } catch {
    // The demo has stopped; what was received stays on the page.
  }
}

setInterval(refresh, 2000)
