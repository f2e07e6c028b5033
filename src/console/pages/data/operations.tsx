/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions on key-value pairs and file jobs. */
import type { Child } from 'hono/jsx'
import { CANCEL_FILE_JOB } from '../../../files/contract.ts'
import { addressOf } from '../../../http/endpoint/contract.ts'
import {
  CLEAR_NAMESPACE,
  DELETE_PAIR_BY_QUERY,
  IMPORT_PAIRS,
  type ImportedCounts,
  PAIR,
  type PairWithMeta,
  SET_PAIR,
} from '../../../kv/contract.ts'
import { type PairsOfFile, pairsOf } from '../../../kv/pair-file.ts'
import { TextError } from '../../../platform/encodings.ts'
import { once } from '../../../platform/once.ts'
import { type Fields, hiddenOf, type Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { Fields as FormFields } from '../../schema-form/controls.tsx'
import { givenMembers } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
import { FieldError, TextField } from '../../ui/forms.tsx'
import { counted, Name } from '../../ui/text.tsx'

/** The fields of a pair, beside its namespace and key. */
const pairFields = once(() => formOf(SET_PAIR.body().pick({ value: true, ttl: true }).required({ value: true })).fields)

const inNamespace = (fields: Fields) => ({ params: { namespace: fields.get('namespace') } })

async function currentOf(fields: Fields, { ask }: PageContext): Promise<PairWithMeta | null> {
  const [namespace, key] = [fields.get('namespace'), fields.get('key')]
  if (namespace === '' || key === '') return null
  const found = await ask(PAIR, { params: { namespace }, query: { key, meta: true } })
  return found.ok && 'revision' in found.data ? found.data : null
}

/** The pair to write. After a change meanwhile both values are shown, and saving again replaces the new one. */
async function pairInputs(fields: Fields, context: PageContext): Promise<Child> {
  const current = await currentOf(fields, context)
  const isSent = fields.get('sent') !== ''
  const isOld = isSent && current !== null && String(current.revision) !== fields.get('revision')
  const definition = isSent ? givenMembers(pairFields(), fields.form) : { value: current?.value, ttl: current?.ttl }
  const isNew = fields.get('revision') === '0'
  // The revision that is shown: saving again after a change meanwhile replaces that change.
  const isKept = isSent ? !isOld : isNew
  const revision = isKept ? fields.get('revision') : String(current?.revision ?? 0)
  return (
    <>
      {isOld && (
        <div>
          <p>The pair was changed meanwhile. Its value now:</p>
          <pre class="pre" tabindex={0}>
            {current.value}
          </pre>
        </div>
      )}
      <input type="hidden" name="sent" value="1" />
      <input type="hidden" name="revision" value={revision} />
      {(['namespace', 'key'] as const).map((name) => (
        <TextField
          name={name}
          label={name === 'key' ? 'Key' : 'Namespace'}
          value={fields.get(name)}
          required
          readonly={!isNew}
        />
      ))}
      <FormFields form={{ definition, choices: {}, prefix: '' }} fields={pairFields()} />
    </>
  )
}

/** The pairs of a text that was given, with their namespaces; a reason where it holds none. */
function importOf(
  content: string,
):
  | { readonly names: readonly string[]; readonly pairs: number; readonly body: PairsOfFile }
  | { readonly reason: string } {
  try {
    const body = pairsOf(content)
    const lists = Object.values(body.namespaces)
    return { names: Object.keys(body.namespaces), pairs: lists.flat().length, body }
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    return { reason: error.message }
  }
}

/** The API refuses what holds no pairs, with its reasons. */
const bodyOf = (content: string): object => {
  const found = importOf(content)
  return 'body' in found ? found.body : {}
}
const namesOf = (fields: Fields): readonly string[] => {
  const found = importOf(fields.get('content'))
  return 'names' in found ? found.names : []
}

const isReplace = (fields: Fields): boolean => fields.get('mode') === 'replace'

function importInputs(fields: Fields): Child {
  const [content, note] = [fields.get('content'), fields.get('note')]
  const found = importOf(content)
  return (
    <>
      {'names' in found && found.names.length > 0 && (
        <p>
          The text holds {counted(found.pairs, 'pair')} in {counted(found.names.length, 'namespace')}:{' '}
          <Name text={found.names.join(', ')} />.{' '}
          {isReplace(fields) ? 'The pairs that these namespaces have now are deleted.' : 'Other pairs stay.'}
        </p>
      )}
      {content !== '' && 'reason' in found && <p>The text cannot be used: {found.reason}.</p>}
      {note !== '' && (
        <>
          <p>The file {note}.</p>
          <input type="hidden" name="note" value={note} />
        </>
      )}
      <label class="field">
        <span>File</span>
        <input type="file" name="file" accept=".json,.csv,.tsv,.txt,.xlsx,application/json,text/csv" />
      </label>
      <label>
        <span class="sub">
          Or its text: an export, or a table with the columns namespace, key, value and expiresAt; at most 200 KB.
          Larger ones go through footman kv import
        </span>
        <textarea class="big" name="content">
          {`\n${content}`}
        </textarea>
        {['content', 'format', 'namespaces'].map((name) => (
          <FieldError name={name} />
        ))}
      </label>
      <fieldset class="group">
        <legend>Pairs that are there already</legend>
        <label class="pick">
          <input type="radio" name="mode" value="merge" checked={!isReplace(fields)} /> keep those that are not in the
          text
        </label>
        <label class="pick">
          <input type="radio" name="mode" value="replace" checked={isReplace(fields)} /> replace the namespaces
        </label>
      </fieldset>
    </>
  )
}

const etag = (fields: Fields) =>
  fields.get('revision') ? { headers: { 'if-match': `"r${fields.get('revision')}"` } } : {}
const given = (fields: Fields, ...names: readonly string[]): Child =>
  hiddenOf(names.map((name) => [name, fields.get(name)] as const))

export const dataOperations: Operations = {
  'kv.set': {
    scope: 'kv:write',
    verb: 'Save the pair',
    call: (fields) => {
      const revision = fields.get('revision')
      return {
        ...addressOf(SET_PAIR, inNamespace(fields)),
        body: {
          key: fields.get('key'),
          ...givenMembers(pairFields(), fields.form),
          ...(revision !== '' && { ifRevision: Number(revision) }),
        },
      }
    },
    required: ['namespace', 'key'],
    dialog: pairInputs,
    done: (_, fields) => `The pair ${fields.get('key')} was saved.`,
    next: (_, fields) => `/system/keyvalues/${encodeURIComponent(fields.get('namespace'))}`,
  },
  'kv.delete': {
    scope: 'kv:write',
    verb: 'Delete the pair',
    call: (fields) => ({
      ...addressOf(DELETE_PAIR_BY_QUERY, { ...inNamespace(fields), query: { key: fields.get('key') } }),
      ...etag(fields),
    }),
    dialog: (fields) => (
      <>
        <p>
          The pair{' '}
          <b>
            <Name text={fields.get('key')} />
          </b>{' '}
          of the namespace <Name text={fields.get('namespace')} /> is deleted. This cannot be undone.
        </p>
        {given(fields, 'namespace', 'key', 'revision')}
      </>
    ),
    done: (_, fields) => `The pair ${fields.get('key')} was deleted.`,
  },
  'kv.deleteNamespace': {
    scope: 'kv:write',
    verb: 'Delete the namespace',
    call: (fields) => addressOf(CLEAR_NAMESPACE, inNamespace(fields)),
    dialog: (fields) => (
      <>
        <p>
          The namespace{' '}
          <b>
            <Name text={fields.get('namespace')} />
          </b>{' '}
          is deleted with all its pairs. This cannot be undone.
        </p>
        {given(fields, 'namespace')}
      </>
    ),
    typed: (fields) => fields.get('namespace'),
    done: (_, fields) => `The namespace ${fields.get('namespace')} was deleted.`,
    next: () => '/system/keyvalues',
  },
  'kv.import': {
    scope: 'kv:write',
    verb: 'Import pairs',
    takesFile: true,
    fileFills: 'content',
    call: (fields) => ({
      ...addressOf(IMPORT_PAIRS, { query: { mode: isReplace(fields) ? 'replace' : 'merge' } }),
      body: bodyOf(fields.get('content')),
    }),
    dialog: importInputs,
    typed: (fields) => {
      const names = namesOf(fields)
      if (names.length === 0) return null
      return names.length === 1 ? names[0]! : counted(names.length, 'namespace')
    },
    done: (answer, fields) => {
      const { keys, skipped } = answer as ImportedCounts
      const note = fields.get('note')
      return `${counted(keys, 'pair')} imported${skipped > 0 ? `, ${skipped} had expired` : ''}.${note && ` The file ${note}.`}`
    },
    next: () => '/system/keyvalues',
  },
  'filejob.cancel': {
    scope: 'file:write',
    verb: 'Cancel the file job',
    call: (fields) => addressOf(CANCEL_FILE_JOB, { params: { jobId: fields.get('jobId') } }),
    dialog: (fields) => (
      <>
        <p>The job ends. A copy leaves no partial file behind; files that are deleted or moved already stay so.</p>
        {given(fields, 'jobId')}
      </>
    ),
    done: () => 'The file job was cancelled.',
  },
}
