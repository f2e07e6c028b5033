/** For the forms of report definitions: the plan, once it is shown, follows the form; leaving with changes asks. */
const form = document.querySelector('form.editor')
const PAUSE_MS = 800
let timer = 0
let isPlanning = false
let isWaiting = false
let isDirty = form?.dataset.dirty === 'true'
let isSubmitting = false

const planPart = () => document.querySelector('[data-part="plan"]')

async function plan() {
  if (isPlanning) {
    isWaiting = true
    return
  }
  isPlanning = true
  isWaiting = false
  planPart().setAttribute('aria-busy', 'true')
  const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string'))
  fields.set('do', 'plan')
  const page = await new Promise((resolve) => {
    const request = new XMLHttpRequest()
    request.open('POST', form.getAttribute('action'))
    request.responseType = 'document'
    request.setRequestHeader('content-type', 'application/x-www-form-urlencoded')
    request.addEventListener('loadend', () => resolve(request.response))
    request.send(fields.toString())
  })
  const next = page?.querySelector('[data-part="plan"]')
  if (next) planPart().replaceWith(document.adoptNode(next))
  else planPart().removeAttribute('aria-busy')
  isPlanning = false
  if (isWaiting) plan()
}

form?.addEventListener('input', ({ target }) => {
  if (!target.name?.startsWith('preview')) isDirty = true
  clearTimeout(timer)
  if (planPart()?.dataset.shown === 'true') timer = setTimeout(plan, PAUSE_MS)
})
// Leaving by a button of the form keeps what is in it. The browser asks right after the button.
form?.addEventListener('submit', () => {
  isSubmitting = true
  setTimeout(() => {
    isSubmitting = false
  }, 500)
})
addEventListener('beforeunload', (leaving) => {
  if (isDirty && !isSubmitting) leaving.preventDefault()
})
