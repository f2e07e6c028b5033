/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/**
 * Actions of the pages: each stands for one call of the REST API. A form posts to `/form/<operation>`; an operation that asks
 * first shows a page (a dialog with JavaScript) at the same address. Nothing is changed by GET.
 */
import { createHash } from 'node:crypto'
import { type Child, useContext } from 'hono/jsx'
import { isTimezone } from '../config/fields.ts'
import { type AnyCall, type AnyContract, addressOf, type CallArguments, withQuery } from '../http/endpoint/contract.ts'
import type { Method } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import { type DecodedText, encodingNote, isZip, strictText, TextError } from '../platform/encodings.ts'
import { tableText } from '../platform/table.ts'
import { createZoneTimes, type ZoneTimes } from '../platform/zone-times.ts'
import type { Failure, Query } from './ask.ts'
import type { PageContent, PageContext } from './page.ts'
import { ownPath, type Upload } from './requests.ts'
import { FormErrors, FormFields } from './ui/forms.tsx'
import { Icon } from './ui/marks.tsx'
import { CopyText, ErrorBox, Head } from './ui/panel.tsx'
import { Name } from './ui/text.tsx'

/** Fields of a form; '' for one that is not there. */
export interface Fields {
  get(name: string): string
  all(name: string): readonly string[]
  /** For forms whose fields are made from a table. */
  readonly form: URLSearchParams
}

export interface Call {
  readonly method: Method
  /** `/v4/snoozes`, encoded. */
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The call of the endpoint of a contract. */
export function callOf<C extends AnyContract>(contract: C, ...[call]: CallArguments<C, Pick<Call, 'headers'>>): Call {
  const { params, query, body, headers }: AnyCall & Pick<Call, 'headers'> = call ?? {}
  return { ...addressOf(contract, { params, query }), ...(body !== undefined && { body }), ...(headers && { headers }) }
}

export interface Operation {
  readonly scope: string
  /** Title of the dialog and text of its button: `Start again`. */
  readonly verb: string
  readonly call: (fields: Fields, context: PageContext) => Call
  /** The dialog asks for a file. */
  readonly takesFile?: true
  /** Field that the text of the chosen file goes into, in any encoding of Windows, or of a workbook; `note` says which one was assumed. */
  readonly fileFills?: string
  /**
   * Asks before: what will happen, and inputs for what is to be chosen. Absent: taken at once. A button named `preview` in it
   * shows it again, with what was filled in.
   */
  readonly dialog?: (fields: Fields, context: PageContext) => Child | Promise<Child>
  /**
   * Page of a posted form that has several buttons, or keeps what was typed after a failure; null = the action is taken, or
   * asked for.
   */
  readonly page?: (form: URLSearchParams, context: PageContext, failure?: Failure) => Promise<PageContent | null>
  /** It changes nothing: its page is shown at GET, too. */
  readonly isQuestion?: boolean
  /** Text that has to be typed before the action is taken; null = none. */
  readonly typed?: (fields: Fields, context: PageContext) => string | null | Promise<string | null>
  /** Whether the fields have what the dialog requires, such as a tick; false: the dialog is shown again. */
  readonly isComplete?: (fields: Fields) => boolean
  /** Fields that must not be empty, where the API does not say which one is. */
  readonly required?: readonly string[]
  /** Field that an issue of a refused call is about, by the path of the issue; default: the last name of the path. */
  readonly fieldOf?: Readonly<Record<string, string>>
  /** The result as a page, where a sentence is not enough; null = the sentence is. */
  readonly result?: (answer: unknown, context: PageContext) => PageContent | null
  /** The result in a sentence; its times are zoned texts. */
  readonly done: (answer: unknown, fields: Fields, context: PageContext) => string
  /** Page to go to afterwards, below the console; default: the one before. */
  readonly next?: (answer: unknown, fields: Fields) => string | null
}

export type Operations = Readonly<Record<string, Operation>>

/** The clock that a form names in its field `zone`, as times are typed on that of the page. Throws 400 for one that is none. */
export function timesOf(form: URLSearchParams): ZoneTimes {
  const zone = form.get('zone') || 'UTC'
  if (!isTimezone(zone)) throw refusal('VALIDATION', `zone: there is no time zone ${JSON.stringify(zone)}`)
  return createZoneTimes(zone)
}

export const fieldsOf = (form: URLSearchParams): Fields => ({
  get: (name) => form.get(name) ?? '',
  all: (name) => form.getAll(name).filter((value) => value !== ''),
  form,
})

const contentOf = (form: URLSearchParams) => [...form].filter(([name]) => name !== 'csrf')

const OWN_FIELDS = ['csrf', 'once', 'return', 'confirmed', 'typed', 'preview']

/** The dialog of an operation as a page; `failure`: why the last attempt did not work. */
export async function operationPage(
  context: PageContext,
  [name, operation]: readonly [string, Operation],
  form: URLSearchParams,
  failure?: Failure,
): Promise<PageContent> {
  const fields = fieldsOf(form)
  const { verb, scope, dialog, typed } = operation
  if (!context.may(scope)) throw refusal('FORBIDDEN', `This needs the scope ${scope}`)
  const own = operation.isQuestion && !failure ? await operation.page?.(form, context) : null
  if (own) return own
  const wanted = (await typed?.(fields, context)) ?? null
  const back = ownPath(form.get('return'), context.request) || context.link('/')
  const inputs = await dialog?.(fields, context)
  const given = [...form].filter(([field]) => !OWN_FIELDS.includes(field))
  return {
    title: verb,
    status: failure?.status ?? 200,
    body: (
      <div class="dialog">
        <Head title={verb} />
        {failure && <Refused failure={failure} verb={verb} />}
        <form
          method="post"
          action={context.link(`/form/${name}`)}
          enctype={operation.takesFile && 'multipart/form-data'}
          class="stack"
          data-action
        >
          <FormFields context={context} then={back} />
          <input type="hidden" name="confirmed" value="1" />
          <div class="stack" data-inputs>
            <FormErrors.Provider value={errorsOf(operation, failure)}>{inputs ?? hiddenOf(given)}</FormErrors.Provider>
          </div>
          {wanted !== null && (
            <label class="field">
              <span>
                Type <b>{wanted}</b> to go on
              </span>
              <input name="typed" autocomplete="off" required pattern={escapeRegExp(wanted)} />
            </label>
          )}
          <div class="acts">
            <button type="submit" class="btn primary">
              {verb}
            </button>
            <a class="btn" href={back} data-close>
              Cancel
            </a>
          </div>
        </form>
        <details>
          <summary>As a call of the API</summary>
          <CopyText text={curlOf(context, operation.call(fields, withoutFile(context)))} />
        </details>
      </div>
    ),
  }
}

/** A call that people read shows no file. */
const withoutFile = ({ upload: _, ...context }: PageContext): PageContext => context

/** Statuses that say that the fields are wrong, not that something failed. */
const INPUT_STATUSES = [400, 409, 412, 413, 422]

/** A line of `^` below the text that it points into: the field has both lines. */
const POINTER = /\n *\^+ /

/** Why a form was not taken: a failure of its fields in plain words, everything else as elsewhere. */
export const Refused = ({ failure, verb }: { readonly failure: Failure; readonly verb: string }) => {
  const { status, issues, error, details } = failure
  if (!INPUT_STATUSES.includes(status)) return <ErrorBox failure={failure} what={verb} />
  const isChanged = status === 412
  const messages = issues.length > 0 ? issues.map(({ path, message }) => `${path} ${message}`) : [details || error]
  return (
    <div class="error" role="alert">
      <p>
        <Icon name="failed" class="bad" />{' '}
        <b>{isChanged ? 'It was changed meanwhile, so nothing was saved.' : 'Correct this and send the form again:'}</b>
      </p>
      {!isChanged && (
        <ul>
          {messages.map((message) => (
            <li>
              <Name text={message.replace(POINTER, ': ')} />
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** In place of the preview of a form whose fields are refused. Nothing where the refused form has said so already. */
export const NoPreview = ({ failure }: { readonly failure: Failure }) =>
  useContext(FormErrors).size > 0 ? null : <Refused failure={failure} verb="Preview" />

function errorsOf({ fieldOf = {} }: Operation, failure?: Failure): ReadonlyMap<string, string> {
  return new Map(
    failure?.issues.map(({ path, message }) => {
      const names = path.split('.').filter((name) => !/^\d+$/.test(name))
      return [fieldOf[names.join('.')] ?? names.at(-1) ?? '', message]
    }),
  )
}

/** The fields of the button that opened the dialog, for dialogs without inputs of their own. */
export const hiddenOf = (given: readonly (readonly [string, string])[]): Child =>
  given.map(([field, value]) => <input type="hidden" name={field} value={value} />)

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

/** The call as a command line that does the same; `$KEY` stands for an API key. */
export function curlOf({ request }: Pick<PageContext, 'request'>, call: Call): string {
  const { method, path, query = {}, body, headers = {} } = call
  const host = request.headers.get('host') ?? 'localhost'
  const url = `${request.secure ? 'https' : 'http'}://${host}${request.prefix}${withQuery(path, query)}`
  const parts = [`curl -X ${method} '${shell(url)}'`]
  if (request.pages.signsIn) parts.push(`-H "Authorization: Bearer $KEY"`)
  for (const [name, value] of Object.entries(headers)) parts.push(`-H '${shell(`${name}: ${value}`)}'`)
  if (typeof body === 'string') parts.push(`--data-binary '${shell(body)}'`)
  else if (body !== undefined) parts.push(`-H 'content-type: application/json'`, `-d '${shell(JSON.stringify(body))}'`)
  return parts.join(' \\\n  ')
}

interface CallsProps {
  readonly context: PageContext
  readonly operations: Operations
}

/** The calls behind the buttons that ask nothing; dialogs show their own. Rendered after the page. */
export const Calls = ({ context, operations }: CallsProps) =>
  context.actions.size === 0 ? null : (
    <details class="calls">
      <summary>Actions as calls of the API</summary>
      {[...context.actions].map(([name, form]) => {
        const { verb, call } = operations[name]!
        return (
          <>
            <p>{verb}</p>
            <CopyText text={curlOf(context, call(fieldsOf(form), context))} />
          </>
        )
      })}
    </details>
  )

const shell = (text: string): string => text.replaceAll("'", `'\\''`)

/** The limit of a workbook that is shown as text. */
const WORKBOOK_MB = 1

/** The text of a file; of a workbook, that of its first sheet. Rejects with a `TextError`. */
async function textOf(content: Uint8Array): Promise<DecodedText> {
  if (!isZip(content)) return strictText(content)
  const { readWorkbookTable } = await import('../reports/templates/workbook/table.ts')
  return { text: tableText(await readWorkbookTable(new Uint8Array(content), WORKBOOK_MB)), encoding: 'utf-8' }
}

/** Puts the text of the chosen file into its field. Returns why it is none, else null. */
async function fillFromFile(
  { fileFills: field }: Operation,
  form: URLSearchParams,
  upload?: Upload,
): Promise<Failure | null> {
  if (field === undefined || upload === undefined) return null
  try {
    const { text, encoding } = await textOf(upload.content)
    form.set(field, text)
    form.set('note', encodingNote(encoding) ?? '')
    return null
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    return refused('Invalid file', [{ path: field, message: `cannot be read from ${upload.name}: ${error.message}` }])
  }
}

/** A form that is refused before the API is asked. */
export const refused = (error: string, issues: Failure['issues'], details = ''): Failure => ({
  ok: false,
  status: 400,
  error,
  details,
  code: 'VALIDATION',
  requestId: '',
  issues,
})

/** The result of a posted form. */
export type Outcome =
  | { readonly kind: 'done'; readonly text: string; readonly location: string }
  | { readonly kind: 'page'; readonly content: PageContent }

/** Takes an action, or asks first. */
export async function takeAction(
  context: PageContext,
  entry: readonly [string, Operation],
  form: URLSearchParams,
): Promise<Outcome> {
  const [, operation] = entry
  const damaged = await fillFromFile(operation, form, context.upload)
  if (damaged) return { kind: 'page', content: await operationPage(context, entry, form, damaged) }
  const again = async (failure: Failure): Promise<Outcome> => {
    const content = await operation.page?.(form, context, failure)
    return { kind: 'page', content: content ?? (await operationPage(context, entry, form, failure)) }
  }
  const fields = fieldsOf(form)
  const wanted = (await operation.typed?.(fields, context)) ?? null
  const isConfirmed =
    form.get('confirmed') === '1' &&
    !form.has('preview') &&
    (wanted === null || form.get('typed') === wanted) &&
    (operation.isComplete?.(fields) ?? true)
  const own = await operation.page?.(form, context)
  if (own) return { kind: 'page', content: own }
  if ((operation.dialog || wanted !== null) && !isConfirmed) {
    return { kind: 'page', content: await operationPage(context, entry, form) }
  }
  const empty = operation.required?.filter((name) => fields.get(name) === '') ?? []
  if (empty.length > 0) {
    const issues = empty.map((name) => ({ path: name, message: 'must not be empty' }))
    return await again(refused('Invalid form', issues))
  }
  const { method, path, query = {}, body, headers } = operation.call(fields, context)
  // A form that is sent twice is carried out once; one that was changed meanwhile, as after *Back*, is another.
  const key = form.has('once')
    ? createHash('sha256')
        .update(JSON.stringify(contentOf(form)))
        .digest('hex')
    : null
  const answer = await context.ask.call(method, withQuery(path, query), body, {
    headers: { ...(method === 'POST' && key && { 'idempotency-key': key }), ...headers },
  })
  if (!answer.ok) {
    return await again(answer)
  }
  const result = operation.result?.(answer.data, context)
  if (result) return { kind: 'page', content: result }
  const next = operation.next?.(answer.data, fields) ?? null
  const back = ownPath(form.get('return'), context.request) || context.link('/')
  return {
    kind: 'done',
    text: operation.done(answer.data, fields, context),
    location: next === null ? back : context.link(next),
  }
}
