/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The controls of a form, made from the table of its fields. */
import type { Child, FC } from 'hono/jsx'
import type { DefinitionOf } from '../../../reports/entities/contract.ts'
import { Name, plainName } from '../../ui/text.tsx'
import { controlOf, type Field, type Members, memberAt, shownText, type Variant, variantOf } from './fields.ts'
import { KINDS, type Kind } from './kinds.ts'

/** The definitions and storage spaces that a field may name. */
export type Choices = { readonly [K in Kind]: readonly DefinitionOf<K>[] } & {
  readonly space: readonly { readonly id: string; readonly name: string }[]
}

interface Form {
  readonly definition: Members
  readonly choices: Choices
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  /** Address that the buttons of the form post to. */
  readonly action: string
  /** Id of the step, to which the browser comes back. */
  readonly step: string
}

interface FieldsProps {
  readonly form: Form
  readonly fields: readonly Field[]
  /** Path of the item or group; '' = the definition. */
  readonly above?: string
}

export const Fields: FC<FieldsProps> = ({ form, fields, above = '' }) => (
  <div class="form">
    {fields.map((field) => (
      <Control form={form} field={field} path={above + field.at} />
    ))}
  </div>
)

interface ControlProps {
  readonly form: Form
  readonly field: Field
  readonly path: string
}

const Control: FC<ControlProps> = (props) => {
  const { form, field, path } = props
  if (field.as === 'items') return <Items form={form} field={field} path={path} />
  if (field.as === 'group') {
    return (
      <details class="wide entry" open={memberAt(form.definition, path) != null || undefined}>
        <summary>{field.label}</summary>
        <Fields form={form} fields={field.fields} above={`${path}.`} />
      </details>
    )
  }
  if (field.as === 'refs' || field.as === 'choices') return <Picks {...props} />
  const issue = form.issues.find((one) => one.path === path)
  const isLarge = ['area', 'lines', 'pairs', 'json'].includes(field.as)
  return (
    <div class={isLarge ? 'wide' : undefined}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is in the component. */}
      <label class={field.as === 'flag' ? 'check' : 'field'}>
        <span>{field.label}</span>
        <Input {...props} invalid={issue !== undefined} />
      </label>
      {issue && <p class="bad small">{issue.message}</p>}
      {field.hint && (
        <p class="muted small" id={`${controlOf(path)}-hint`}>
          {field.hint}
        </p>
      )}
    </div>
  )
}

const Input: FC<ControlProps & { readonly invalid: boolean }> = ({ form, field, path, invalid }) => {
  const value = memberAt(form.definition, path)
  const shared = {
    name: controlOf(path),
    'aria-invalid': invalid ? 'true' : undefined,
    'aria-describedby': field.hint ? `${controlOf(path)}-hint` : undefined,
  }
  const text = shownText(field, value)
  switch (field.as) {
    case 'flag':
      return <input type="checkbox" value="1" checked={value === true} {...shared} />
    case 'area':
    case 'lines':
    case 'pairs':
    case 'json':
      return (
        <textarea rows={Math.min(12, Math.max(2, text.split('\n').length))} spellcheck={false} {...shared}>
          {/* The first line break of a text area is not part of its text. */}
          {`\n${text}`}
        </textarea>
      )
    case 'choice':
      return (
        <select {...shared}>
          {field.options.map(([option, label]) => (
            <option value={option} selected={option === text}>
              {label}
            </option>
          ))}
        </select>
      )
    case 'ref': {
      const options = form.choices[field.to]
      const isKnown = text === '' || options.some(({ id }) => id === text)
      return (
        <select {...shared}>
          <option value="">choose</option>
          {!isKnown && (
            <option value={text} selected>
              {text}
            </option>
          )}
          {options.map(({ id, name }) => (
            <option value={id} selected={id === text}>
              {plainName(name)}
            </option>
          ))}
        </select>
      )
    }
    default:
      return <input type="text" value={text} autocomplete="off" spellcheck={false} {...shared} />
  }
}

/** Check boxes for several choices; those of definitions are folded. */
const Picks: FC<ControlProps> = ({ form, field, path }) => {
  if (field.as !== 'refs' && field.as !== 'choices') return null
  const present = memberAt(form.definition, path)
  const chosen: readonly unknown[] = Array.isArray(present) ? present : []
  const known: readonly (readonly [string, string])[] =
    field.as === 'choices' ? field.options : form.choices[field.to].map(({ id, name }) => [id, name] as const)
  const gone = chosen.filter((id) => !known.some(([one]) => one === id)).map((id) => [String(id), String(id)] as const)
  const options = [...known, ...gone]
  const boxes = (
    <div class="picks">
      {options.map(([value, text]) => (
        <label class="check">
          <Name text={text} />
          <input type="checkbox" name={controlOf(path)} value={value} checked={chosen.includes(value)} />
        </label>
      ))}
    </div>
  )
  const issue = form.issues.find((one) => one.path === path || one.path.startsWith(`${path}.`))
  if (field.as === 'choices') {
    return (
      <fieldset class="wide">
        <legend class="small">{field.label}</legend>
        {field.hint && <p class="muted small">{field.hint}</p>}
        {boxes}
        {issue && <p class="bad small">{issue.message}</p>}
      </fieldset>
    )
  }
  const what = field.to === 'space' ? 'storage spaces' : KINDS[field.to].many.toLowerCase()
  return (
    <details class="wide entry" open={chosen.length > 0 || undefined}>
      <summary>
        {field.label} <span class="count quiet">{chosen.length}</span>
      </summary>
      {options.length === 0 ? <p class="muted small">There are no {what} yet.</p> : boxes}
      {issue && <p class="bad small">{issue.message}</p>}
    </details>
  )
}

/** More items than these are folded. */
const OPEN_ITEMS = 4

const Items: FC<ControlProps> = ({ form, field, path }) => {
  if (field.as !== 'items') return null
  const present = memberAt(form.definition, path)
  const items: readonly unknown[] = Array.isArray(present) ? present : []
  const Button = ({ value, label, children }: { value: string; label: string; children?: Child }) => (
    <button
      type="submit"
      class="btn s"
      name="do"
      value={value}
      aria-label={label}
      formaction={`${form.action}#step-${form.step}`}
    >
      {children}
    </button>
  )
  const issue = form.issues.find((one) => one.path === path)
  return (
    <div class="wide stack items-of">
      {issue && <p class="bad small">{issue.message}</p>}
      {items.map((item, n) => {
        const variant = variantOf(field.variants, item)
        const title = `${variant?.title ?? 'Item'} ${n + 1}`
        const isOpen = items.length <= OPEN_ITEMS || n === items.length - 1 || hasIssue(form, `${path}.${n}`)
        return (
          <details class="entry" open={isOpen || undefined}>
            <summary>
              {title} <span class="muted">{variant && <Name text={summaryOf(form, variant, item)} />}</span>
            </summary>
            {variant ? (
              <Fields form={form} fields={variant.fields} above={`${path}.${n}.`} />
            ) : (
              <p class="muted">It has no fields here; see the JSON.</p>
            )}
            <div class="acts">
              {field.ordered && n > 0 && (
                <Button value={`up ${path} ${n}`} label={`Move ${title} up`}>
                  Up
                </Button>
              )}
              {field.ordered && n < items.length - 1 && (
                <Button value={`down ${path} ${n}`} label={`Move ${title} down`}>
                  Down
                </Button>
              )}
              <Button value={`remove ${path} ${n}`} label={`Remove ${title}`}>
                Remove
              </Button>
            </div>
          </details>
        )
      })}
      <div class="acts">
        {field.variants.map(({ type, title }) => (
          <Button value={`add ${path} ${type}`} label={`Add ${title} to ${field.label}`}>
            + {title}
          </Button>
        ))}
      </div>
    </div>
  )
}

const hasIssue = ({ issues }: Form, path: string): boolean => issues.some((one) => one.path.startsWith(`${path}.`))

/** The first member of an item that says something; the name of the definition that it names. */
function summaryOf({ choices }: Form, { fields }: Variant, item: unknown): string {
  for (const field of fields) {
    const text = shownText(field, memberAt(item, field.at)).split('\n').slice(0, 3).join(', ')
    if (text === '' || field.as === 'flag') continue
    return field.as === 'ref' ? (choices[field.to].find(({ id }) => id === text)?.name ?? text) : text
  }
  return ''
}
