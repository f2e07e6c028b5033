/** The buttons of a definition's form: save, plan, change a list, show a preview, take over changes of others. */

import { refusal } from '../../../http/errors.ts'
import { PREVIEW_REPORT, PREVIEW_TASK, TEST_CONDITION } from '../../../reports/contract.ts'
import { DEFINITIONS } from '../../../reports/entities/contract.ts'
import { PLAN_TASK } from '../../../reports/runs/contract.ts'
import { UPLOAD_TEMPLATE } from '../../../reports/templates/contract.ts'
import type { Asked, Failure } from '../../ask.ts'
import { callOf, type Operation, refused, timesOf } from '../../forms.tsx'
import type { PageContent, PageContext } from '../../page.ts'
import { takenOver } from '../../schema-form/conflict.tsx'
import { changeList, type Members, memberAt, membersOfJson, readFields } from '../../schema-form/fields.ts'
import { type Draft, editable, editorPage } from './editor.tsx'
import { type Definition, definitionOf, isKind, KINDS, pathOf } from './kinds.ts'
import { checkText, failurePage, type PreviewChoices } from './preview.tsx'
import { formOfKind } from './steps.ts'

export const saveOperation: Operation = {
  scope: 'report:write',
  verb: 'Save',
  page: afterButton,
  call({ form }) {
    const { kind, id, revision, definition } = draftOf(form)
    const { create, replace } = DEFINITIONS[kind]
    const body = bodyOf(definition)
    if (id === '') return callOf(create, { body })
    return callOf(replace, { params: pathOf(id), body, headers: { 'if-match': `"r${revision}"` } })
  },
  done(answer) {
    const { name, revision } = answer as Definition
    return `"${name}" is saved, revision ${revision}`
  },
  next(answer, fields) {
    const { id } = answer as Definition
    const kind = fields.get('kind')
    if (!isKind(kind)) return null
    return fields.get('do') === 'save test' ? `/form/reporttask.start?taskId=${id}&test=1` : `${KINDS[kind].path}/${id}`
  },
}

/** The page after a button; null for saving, which has not been tried yet. */
async function afterButton(
  form: URLSearchParams,
  context: PageContext,
  failure?: Failure,
): Promise<PageContent | null> {
  const draft = { ...draftOf(form), ...chosen(form) }
  const [button = '', what = ''] = (form.get('do') ?? '').split(' ')
  if (button === 'save') return failure ? afterFailure(context, draft, failure) : null
  const edited = { ...draft, definition: structuredClone(draft.definition) }
  switch (button) {
    case 'plan':
      return editorPage(context, {
        ...draft,
        ...(await planned(context, draft, form.get('planFor') ?? '')),
        planFrom: Number(/^\d{1,7}$/.exec(what)?.[0] ?? 0),
      })
    case 'preview':
      return preview(context, draft, form, what === 'file')
    case 'upload':
      return uploaded(context, draft)
    case 'test': {
      const tested = await context.ask(TEST_CONDITION, { params: { id: draft.id }, body: {} })
      return editorPage(context, { ...draft, tested })
    }
    case 'json':
      return editorPage(context, withJson(draft, form.get('json') ?? ''))
    case 'merge':
    case 'mine':
      return editorPage(context, await rebased(context, draft, button === 'merge'))
    default:
      changeList(edited.definition, formOfKind(draft.kind, draft.definition).fields, form.get('do') ?? '')
      return editorPage(context, edited)
  }
}

/** The API checks what was typed. */
const bodyOf = (definition: Members) => definition as never

/** Throws 400 for a form that this console has not made. */
function draftOf(form: URLSearchParams): Draft {
  const kind = form.get('kind') ?? ''
  const [before, definition] = ['before', 'definition'].map((name) => membersOfJson(form.get(name) ?? ''))
  if (!isKind(kind) || !before || !definition) {
    throw refusal('VALIDATION', 'This form is not complete. Open the definition again.')
  }
  readFields(definition, formOfKind(kind, definition).fields, form, { times: timesOf(form) })
  return { kind, id: form.get('id') ?? '', revision: Number(form.get('revision')) || 0, before, definition }
}

async function planned(context: PageContext, { definition }: Draft, planFor: string): Promise<Partial<Draft>> {
  const body = bodyOf({ ...definition, name: definition.name || 'new' })
  const plan = await context.ask(PLAN_TASK, { params: { taskId: '-' }, query: { recipient: planFor }, body })
  return { plan, planFor }
}

/** A document of what is in the form: a page for the frame beside it, or a file to be kept. */
async function preview(context: PageContext, draft: Draft, form: URLSearchParams, kept: boolean): Promise<PageContent> {
  const { kind, id } = draft
  const shared = { format: kept ? form.get('previewFormat') : 'html', asRecipient: form.get('previewFor')?.trim() }
  const body = bodyOf({ ...draft.definition, name: draft.definition.name || 'new' })
  const made =
    kind === 'task'
      ? context.ask(PREVIEW_TASK, { query: { ...shared, report: form.get('previewReport') }, body, bytes: true })
      : context.ask(PREVIEW_REPORT, { query: { ...shared, reportId: id }, body, bytes: true })
  // With `bytes` the document is not read as a text.
  const answer = (await made) as Asked<unknown> as Asked<Uint8Array<ArrayBuffer>>
  if (answer.ok && !kept) return { title: 'Preview', body: null, file: { type: 'text/html', body: answer.data } }
  if (answer.ok) {
    const type = answer.headers.get('content-type') ?? 'application/octet-stream'
    const name = /''(.+)$/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? ''
    return { title: 'Preview', body: null, file: { type, body: answer.data, name: decodeURIComponent(name) } }
  }
  if (kept) return editorPage(context, { ...draft, failure: answer, failed: 'No preview' })
  return { title: 'Preview', status: answer.status, body: null, file: { type: 'text/html', body: failurePage(answer) } }
}

const chosen = (form: URLSearchParams): PreviewChoices => ({
  previewFor: form.get('previewFor') ?? '',
  previewFormat: form.get('previewFormat') ?? '',
  previewReport: form.get('previewReport') ?? '',
})

/** Checks and keeps the chosen file as template of the saved report. */
async function uploaded(context: PageContext, draft: Draft): Promise<PageContent> {
  const { upload } = context
  if (!upload) {
    const failure = refused('No file was chosen', [], 'Choose an xlsx, docx or pptx file, then upload it.')
    return editorPage(context, { ...draft, failure, failed: 'Not uploaded' })
  }
  const headers = {
    'content-type': 'application/octet-stream',
    'x-file-name': encodeURIComponent(upload.name),
    'if-match': `"r${draft.revision}"`,
  }
  const answer = await context.ask(UPLOAD_TEMPLATE, { params: { id: draft.id }, body: upload.content, headers })
  if (!answer.ok) {
    const page = await afterFailure(context, draft, answer)
    return answer.status === 412 ? page : editorPage(context, { ...draft, failure: answer, failed: 'Not uploaded' })
  }
  const stored = await present(context, draft)
  const template = memberAt(stored, 'template')
  return editorPage(context, {
    ...draft,
    ...(stored && {
      revision: stored.revision,
      before: { ...draft.before, template },
      definition: { ...draft.definition, template },
    }),
    notice: `${upload.name} is the template, ${checkText(answer.data)}`,
  })
}

function withJson(draft: Draft, text: string): Draft {
  const definition = membersOfJson(text)
  if (definition)
    return { ...draft, definition: editable(definition), notice: 'The JSON is in the form, not saved yet.' }
  return { ...draft, failure: refused('This is no JSON object', [], 'The form is as it was.'), failed: 'Not taken' }
}

async function present(context: PageContext, { kind, id }: Draft): Promise<Definition | null> {
  const answer = await definitionOf(context, kind, id)
  return answer.ok ? answer.data : null
}

async function afterFailure(context: PageContext, draft: Draft, failure: Failure): Promise<PageContent> {
  const other = failure.status === 412 ? await present(context, draft) : null
  return editorPage(context, { ...draft, failure, ...(other && { present: other }) })
}

/** The form on top of the revision of another caller. `merge`: members that were not changed here are theirs. */
async function rebased(context: PageContext, draft: Draft, merge: boolean): Promise<Draft> {
  const other = await present(context, draft)
  if (!other) return draft
  const theirs = editable(other)
  const { members, notice } = takenOver({ before: draft.before, mine: draft.definition, theirs }, other.revision, merge)
  return { ...draft, revision: other.revision, before: theirs, definition: members, notice }
}
