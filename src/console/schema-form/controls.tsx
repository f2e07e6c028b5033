/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The controls of a form, made from the table of its fields. */
import { type Child, type FC, useContext } from 'hono/jsx'
import { WEEKDAYS } from '../../platform/calendar.ts'
import { createZoneTimes, type ZoneTimes } from '../../platform/zone-times.ts'
import { LOOKUPS } from '../contract.ts'
import { FieldError, FormErrors, useInvalid } from '../ui/forms.tsx'
import { Name, plainName } from '../ui/text.tsx'
import {
  controlOf,
  daysOf,
  type Field,
  isPreset,
  type Members,
  memberAt,
  pairsOf,
  rowsOf,
  shownText,
  type Variant,
  valueControlOf,
  variantOf,
  wallTimeOf,
} from './fields.ts'

/** The things that a field may name, by its lookup. Others are looked up while a text is typed. */
export type Choices = Readonly<Record<string, readonly { readonly id: string; readonly name: string }[]>>

/** Why fields are refused stands in `FormErrors`, by the names of their controls. */
interface Form {
  readonly definition: Members
  readonly choices: Choices
  /** Before the names of the controls; default `f:`. */
  readonly prefix?: string
  /** Only for forms with lists: the address that the buttons post to, and the step to which the browser comes back. */
  readonly action?: string
  readonly step?: string
  /** The clock of times; default UTC. A form has its zone in a field `zone`. */
  readonly times?: ZoneTimes
}

interface FieldsProps {
  readonly form: Form
  readonly fields: readonly Field[]
  /** Path of the item or group; '' = the definition. */
  readonly above?: string
}

/** The controls of the fields; those that are rarely needed are folded, unless they differ from their default. */
export const Fields: FC<FieldsProps> = ({ form, fields, above = '' }) => {
  const hasError = useErrors(form)
  const isFolded = (field: Field) => {
    const path = above + field.at
    return field.advanced && isPreset(field, memberAt(form.definition, path)) && !hasError(path)
  }
  const folded = fields.filter(isFolded)
  const controls = (some: readonly Field[]) =>
    some.map((field) => <Control form={form} field={field} path={above + field.at} />)
  return (
    <div class="form">
      {controls(fields.filter((field) => !folded.includes(field)))}
      {folded.length > 0 && (
        <details class="wide entry">
          <summary>{folded.length === 1 ? folded[0]!.label : 'More'}</summary>
          <div class="form">{controls(folded)}</div>
        </details>
      )}
    </div>
  )
}

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
  if (field.as === 'refs' && !form.choices[field.to]) return <Rows {...props} />
  if (field.as === 'pairs' && field.lookup !== undefined) return <Rows {...props} />
  if (field.as === 'refs' || field.as === 'choices' || field.as === 'weekdays') return <Picks {...props} />
  const name = controlOf(path, form.prefix)
  const isLarge = ['area', 'lines', 'pairs', 'json'].includes(field.as)
  return (
    <div class={isLarge ? 'wide' : undefined}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is in the component. */}
      <label class={field.as === 'flag' ? 'check' : 'field'}>
        <span>
          {field.label}
          {field.as === 'time' && ` (${timesOf(form).timezone})`}
        </span>
        <Input {...props} name={name} />
        <FieldError name={name} />
      </label>
      {field.hint && (
        <p class="muted small" id={`${name}-hint`}>
          {field.hint}
        </p>
      )}
    </div>
  )
}

/** A member that is not there has its default. */
function shownValue({ form, field, path }: ControlProps): unknown {
  const value = memberAt(form.definition, path)
  return value === undefined ? field.preset : value
}

const Input: FC<ControlProps & { readonly name: string }> = ({ form, field, path, name }) => {
  const value = shownValue({ form, field, path })
  const shared = {
    name,
    'aria-describedby': field.hint ? `${name}-hint` : undefined,
    ...useInvalid(name),
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
    case 'time':
      return <input type="datetime-local" value={wallTimeOf(value, timesOf(form)).replace(' ', 'T')} {...shared} />
    case 'clock':
      // A text that is no time of a day, such as the end of one, 24:00, is shown as it is.
      return <input type={/^$|^([01]\d|2[0-3]):\d\d$/.test(text) ? 'time' : 'text'} value={text} {...shared} />
    case 'choice': {
      const isKnown = field.options.some(([option]) => option === text)
      return (
        <select {...shared}>
          {!isKnown && text !== '' && (
            <option value={text} selected>
              {text}
            </option>
          )}
          {field.options.map(([option, label]) => (
            <option value={option} selected={option === text}>
              {label}
            </option>
          ))}
        </select>
      )
    }
    case 'ref': {
      const options = form.choices[field.to]
      if (!options) return <LookedUp what={field.to} value={text} {...shared} />
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
    default: {
      const { required, maxLength, suggest = '' } = field
      const known = form.choices[suggest] ?? []
      const list = known.length > 0 ? `known-${suggest}` : undefined
      return (
        <>
          <input
            type="text"
            value={text}
            autocomplete="off"
            spellcheck={false}
            inputmode={field.as === 'number' || field.as === 'minutes' ? 'numeric' : undefined}
            required={required}
            maxlength={maxLength}
            list={list}
            data-lookup={lookupOf(field.lookup)}
            {...shared}
          />
          {list && (
            <datalist id={list}>
              {known.map(({ id }) => (
                <option value={id} />
              ))}
            </datalist>
          )}
        </>
      )
    }
  }
}

/** A kind of things that can be looked up; undefined for others. */
const lookupOf = (what?: string) => LOOKUPS.find((one) => one === what)

interface LookedUpProps {
  readonly what?: string | undefined
  readonly value: string
  readonly name: string
  readonly 'aria-label'?: string
  readonly 'aria-describedby'?: string | undefined
  /** The values are those of the property that the first field of the row names. */
  readonly 'data-of'?: 'row'
}

/** A text with suggestions (`assets/lookup.js`). */
const LookedUp: FC<LookedUpProps> = ({ what, ...input }) => (
  <input type="text" autocomplete="off" spellcheck={false} data-lookup={lookupOf(what)} {...input} />
)

/**
 * A row for each text of a list, or for each pair, and an empty one. The button of a further one sends the form, whose answer
 * has again one more than is filled in; with JavaScript the row comes in place.
 */
const Rows: FC<ControlProps> = ({ form, field, path }) => {
  const control = controlOf(path, form.prefix)
  const value = memberAt(form.definition, path)
  const isPairs = field.as === 'pairs'
  const rows = isPairs ? pairsOf(value) : rowsOf(value).map((text) => [text, ''] as const)
  const invalid = useInvalid(control)
  const described = field.hint ? `${control}-hint` : undefined
  // The actions of a definition come by `do`; a dialog is shown again by `preview`.
  const button = form.action
    ? { name: 'do', value: `row ${path}`, formaction: form.action }
    : { name: 'preview', value: '1' }
  return (
    <fieldset class="wide entries">
      <legend class="small">{field.label}</legend>
      {field.hint && (
        <p class="muted small" id={described}>
          {field.hint}
        </p>
      )}
      {[...rows, ['', ''] as const].map(([text, second], n) => {
        const label = `${field.label} ${n + 1}`
        return (
          <div class="field" data-row>
            <LookedUp
              what={field.lookup}
              name={control}
              value={text}
              aria-label={isPairs ? `${label}, name` : label}
              aria-describedby={described}
              {...(n === 0 && invalid)}
            />
            {isPairs && <span>=</span>}
            {isPairs && (
              <LookedUp
                what="customPropertyValue"
                name={valueControlOf(control)}
                value={String(second)}
                aria-label={`${label}, value`}
                data-of="row"
              />
            )}
          </div>
        )
      })}
      <FieldError name={control} />
      <div class="acts">
        <button
          type="submit"
          class="btn s"
          formnovalidate
          data-add-row
          aria-label={`Add a row to ${field.label}`}
          {...button}
        >
          Add
        </button>
      </div>
    </fieldset>
  )
}

const DAYS = WEEKDAYS.map((day) => [day, day.charAt(0).toUpperCase() + day.slice(1)] as const)

/** Check boxes for several choices; those of definitions are folded. */
const Picks: FC<ControlProps> = ({ form, field, path }) => {
  if (field.as !== 'refs' && field.as !== 'choices' && field.as !== 'weekdays') return null
  const present = memberAt(form.definition, path)
  const chosen: readonly unknown[] = field.as === 'weekdays' ? daysOf(present) : [present ?? []].flat()
  const known: readonly (readonly [string, string])[] =
    field.as === 'refs'
      ? (form.choices[field.to] ?? []).map(({ id, name }) => [id, name] as const)
      : field.as === 'choices'
        ? field.options
        : DAYS
  const gone = chosen.filter((id) => !known.some(([one]) => one === id)).map((id) => [String(id), String(id)] as const)
  const options = [...known, ...gone]
  const control = controlOf(path, form.prefix)
  const boxes = (
    <div class="picks">
      {options.map(([value, text]) => (
        <label class="check">
          <Name text={text} />
          <input type="checkbox" name={control} value={value} checked={chosen.includes(value)} />
        </label>
      ))}
    </div>
  )
  if (field.as !== 'refs') {
    return (
      <fieldset class="wide">
        <legend class="small">{field.label}</legend>
        {field.hint && <p class="muted small">{field.hint}</p>}
        {boxes}
        <FieldError name={control} />
      </fieldset>
    )
  }
  return (
    <details class="wide entry" open={chosen.length > 0 || undefined}>
      <summary>
        {field.label} <span class="count quiet">{chosen.length}</span>
      </summary>
      {options.length === 0 ? <p class="muted small">There are none yet.</p> : boxes}
      <FieldError name={control} />
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
  const hasError = useErrors(form)
  return (
    <div class="wide stack items-of">
      <FieldError name={controlOf(path, form.prefix)} alone />
      {items.map((item, n) => {
        const variant = variantOf(field.variants, item)
        if (field.single && items.length === 1 && variant) {
          const inner = <Fields form={form} fields={variant.fields} above={`${path}.${n}.`} />
          if (!field.advanced) return inner
          return (
            <fieldset class="entry">
              <legend>{field.label}</legend>
              {inner}
              <div class="acts">
                <Button value={`remove ${path} ${n}`} label={`Remove ${field.label}`}>
                  Remove {field.label}
                </Button>
              </div>
            </fieldset>
          )
        }
        const title = `${variant?.title ?? 'Item'} ${n + 1}`
        const isOpen = items.length <= OPEN_ITEMS || n === items.length - 1 || hasError(`${path}.${n}`)
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
        {field.variants.map(({ key, title }) => {
          const another = field.single && items.length > 0 ? `Or another ${title.toLowerCase()}` : null
          // The name of a button has its text.
          const label = another === null ? `Add ${title} to ${field.label}` : `${another}: ${field.label}`
          return (
            <Button value={`add ${path} ${key}`} label={label}>
              {another ?? `+ ${title}`}
            </Button>
          )
        })}
      </div>
    </div>
  )
}

const UTC = createZoneTimes('UTC')
const timesOf = ({ times = UTC }: Form): ZoneTimes => times

/** Whether a member, or one inside of it, is refused. */
function useErrors({ prefix }: Form): (path: string) => boolean {
  const names = [...useContext(FormErrors).keys()]
  return (path) => {
    const name = controlOf(path, prefix)
    return names.some((one) => one === name || one.startsWith(`${name}.`))
  }
}

/** The first member of an item that says something; the name of the definition that it names. */
function summaryOf(form: Form, { fields }: Variant, item: unknown): string {
  const { choices } = form
  for (const field of fields) {
    const value = memberAt(item, field.at)
    const shown = field.as === 'time' ? wallTimeOf(value, timesOf(form)) : shownText(field, value)
    const text = shown.split('\n').slice(0, 3).join(', ')
    if (text === '' || field.as === 'flag') continue
    return field.as === 'ref' ? (choices[field.to]?.find(({ id }) => id === text)?.name ?? text) : text
  }
  return ''
}
