/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Beside the form of a report or task: a document of what is in the form, and the template of a report. */
import type { FC } from 'hono/jsx'
import { visible } from '../../../platform/visible.ts'
import type { Template, TemplateCheck, Templates } from '../../../reports/templates/contract.ts'
import type { Asked, Failure } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import type { Members } from '../../schema-form/fields.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { ErrorBox, Facts, Panel, part } from '../../ui/panel.tsx'
import { bytesText, Name, plainName, Time } from '../../ui/text.tsx'
import type { DefinitionChoices, Kind } from './kinds.ts'

/** The choices beside the form, which its other buttons keep. */
export interface PreviewChoices {
  readonly previewFor?: string
  readonly previewFormat?: string
  /** Key of the report of a task. */
  readonly previewReport?: string
}

const FILE_FORMATS = ['pdf', 'xlsx', 'csv', 'json', 'png', 'svg'] as const

/** A document of what is in the form. Without JavaScript as well: the page goes into the frame, other files to the disk. */
export const Preview: FC<{
  readonly context: PageContext
  readonly draft: PreviewChoices & { readonly kind: Kind; readonly definition: Members }
  readonly choices: DefinitionChoices
  readonly action: string
}> = ({ context, draft, choices, action }) => {
  const { kind, definition, previewFor = '', previewFormat = '', previewReport = '' } = draft
  const uses = Array.isArray(definition.reports) ? (definition.reports as { key?: string }[]) : []
  const keys = uses.flatMap(({ key }) => key || [])
  if (kind === 'task' && keys.length === 0) return null
  const off = context.may('report:write') ? undefined : 'This needs the scope report:write'
  const isTemplate = definition.type === 'template'
  const formats: readonly (readonly [string, string])[] = [
    ...(kind === 'task' ? [['', 'as in the task'] as const] : []),
    ...(isTemplate ? [ownFormat(definition), 'pdf'] : FILE_FORMATS).map((one) => [one, one] as const),
  ]
  return (
    <Panel id="preview" title="Preview" tools={<span class="muted small">of what is in the form</span>}>
      <div class="body stack">
        <div class="form">
          {keys.length > 1 && (
            <label class="field">
              <span>Report</span>
              <select name="previewReport">
                {keys.map((key) => (
                  <option value={key} selected={key === previewReport}>
                    {plainName(key)}
                  </option>
                ))}
              </select>
            </label>
          )}
          <label class="field">
            <span>For</span>
            <input
              type="text"
              name="previewFor"
              value={previewFor}
              placeholder={kind === 'task' ? 'the first recipient' : 'no one: without filters of people'}
              list="preview-people"
              autocomplete="off"
            />
          </label>
          <datalist id="preview-people">
            {choices.recipient.map(({ email }) => (
              <option value={email} />
            ))}
          </datalist>
          <label class="field">
            <span>File</span>
            <select name="previewFormat">
              {formats.map(([value, text]) => (
                <option value={value} selected={value === previewFormat}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        </div>
        <div class="acts">
          {!isTemplate && (
            <button
              type="submit"
              class="btn s"
              name="do"
              value="preview"
              formtarget="preview-frame"
              formaction={action}
              disabled={off !== undefined}
              title={off}
            >
              Show the page
            </button>
          )}
          <button
            type="submit"
            class="btn s"
            name="do"
            value="preview file"
            formaction={action}
            disabled={off !== undefined}
            title={off}
          >
            Download the file
          </button>
        </div>
        <p class="muted small">Tables have 200 rows at most. Nothing is saved or sent.</p>
        {!isTemplate && <iframe name="preview-frame" title="Preview of the report" sandbox="" class="preview" />}
      </div>
    </Panel>
  )
}

/** Formats of documents by the ending of their template. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  xlsx: 'xlsx',
  xltx: 'xlsx',
  docx: 'docx',
  dotx: 'docx',
  pptx: 'pptx',
  potx: 'pptx',
}

function ownFormat({ template }: Members): string {
  const { fileName, file = fileName } = (template ?? {}) as { fileName?: string; file?: string }
  return DOCUMENTS[file?.toLowerCase().split('.').at(-1) ?? ''] ?? 'xlsx'
}

/** The failure of a preview, for its frame. */
export const failurePage = (failure: Failure): string =>
  `<!doctype html>${(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>No preview</title>
        <style>{FRAME_STYLE}</style>
      </head>
      <body>
        <ErrorBox failure={failure} what="No preview" />
      </body>
    </html>
  )}`
const FRAME_STYLE =
  ':root{color-scheme:light;background:#fff}body{font:14px/20px system-ui,sans-serif;margin:12px}svg{display:none}'

/** The findings of a check in sentences: `with 3 tags. Warning: Sheet1!B2: ...`. */
export const checkText = (check: TemplateCheck): string =>
  [factsOf(check), ...faultsOf(check).map(({ text }) => text)].join(' ')

function factsOf({ tags, unused, dropped }: TemplateCheck): string {
  const left = unused.length > 0 ? ` No tag names ${unused.join(', ')}.` : ''
  const gone = dropped.length > 0 ? ` Filled files do not refer to ${dropped.join(', ')} any more.` : ''
  return `with ${tags.length} ${tags.length === 1 ? 'tag' : 'tags'}.${left}${gone}`
}

const faultsOf = ({ problems, warnings }: TemplateCheck) => [
  ...problems.map(({ place, details }) => ({ kind: 'bad', text: `Problem: ${place}: ${details}.` })),
  ...warnings.map(({ place, details }) => ({ kind: 'warn', text: `Warning: ${place}: ${details}.` })),
]

/** The template of a report: its file now, and another one from the disk of the visitor. */
export const TemplatePanel: FC<{
  readonly context: PageContext
  /** '' = the report is not saved yet. */
  readonly id: string
  readonly templates: Asked<Templates>
  /** The check of a file of the folder, which others may change at any time; that of an upload is shown by its button. */
  readonly check: Asked<TemplateCheck> | null
  readonly action: string
}> = ({ context, id, templates, check, action }) => (
  <Panel id="template" title="Template" tools={<a href={context.link('/reports/templates')}>All templates</a>}>
    <div class="body stack">
      {part(templates, ({ reportTemplates, maxTemplateMb }) => {
        const own = reportTemplates.find(({ reports }) => reports.some((report) => report.id === id))
        return (
          <>
            {own ? (
              <TemplateFacts context={context} id={id} template={own} />
            ) : (
              <p class="muted">
                {id === '' ? 'Save the report; then its template can be uploaded here.' : 'There is none yet.'}
              </p>
            )}
            {own &&
              check &&
              part(check, (found) => (
                <div role="status">
                  <p>
                    <Name text={`${own.fileName} is the template, ${factsOf(found)}`} />
                  </p>
                  {faultsOf(found).map(({ kind, text }) => (
                    <p class={`${kind} small`}>{visible(text)}</p>
                  ))}
                </div>
              ))}
            {id !== '' && <Upload context={context} action={action} maxTemplateMb={maxTemplateMb} />}
          </>
        )
      })}
    </div>
  </Panel>
)

const TemplateFacts: FC<{ readonly context: PageContext; readonly id: string; readonly template: Template }> = ({
  context,
  id,
  template: { source, fileName, bytes, uploadedAt, uploadedBy },
}) => (
  <>
    <Facts
      facts={[
        [
          'File',
          bytes === null ? (
            <>
              <Name text={fileName} /> <b class="bad">is gone</b>
            </>
          ) : (
            <a href={`${context.root}/api/v4/report/${id}/template`} download={plainName(fileName)}>
              <Name text={fileName} />
            </a>
          ),
        ],
        bytes !== null && ['Size', bytesText(bytes)],
        source === 'file' && ['From', 'the template folder'],
        uploadedAt !== null && ['Uploaded', <Time at={uploadedAt} zone={context} seconds={false} />],
        uploadedBy !== null && ['By', <Name text={uploadedBy} />],
      ]}
    />
    {source === 'upload' && (
      <div class="acts">
        <ActionLink context={context} operation="reports.template.delete" scope="report:write" values={{ id }}>
          Delete the template…
        </ActionLink>
      </div>
    )}
  </>
)

const Upload: FC<{ readonly context: PageContext; readonly action: string; readonly maxTemplateMb: number }> = ({
  context,
  action,
  maxTemplateMb,
}) => {
  const off = context.may('report:write') ? undefined : 'This needs the scope report:write'
  return (
    <>
      <label class="field file">
        <span>Another file</span>
        <input type="file" name="template" accept=".xlsx,.docx,.pptx,.xltx,.dotx,.potx" />
      </label>
      <div class="acts">
        <button
          type="submit"
          class="btn s"
          name="do"
          value="upload"
          formaction={`${action}#template`}
          formenctype="multipart/form-data"
          disabled={off !== undefined}
          title={off}
        >
          Upload
        </button>
      </div>
      <p class="muted small">
        Excel, Word or PowerPoint, at most {maxTemplateMb} MB. Its tags are checked against the saved report; it counts
        at once.
      </p>
    </>
  )
}
