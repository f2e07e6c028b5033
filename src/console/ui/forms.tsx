/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Forms: filters, which are links with a state in the address, and actions, which go through `forms.tsx`. */
import { type Child, createContext, type FC, type PropsWithChildren, useContext } from 'hono/jsx'
import { withQuery } from '../../http/endpoint/contract.ts'
import type { Names } from '../names.ts'
import type { PageContext } from '../page.ts'
import { Icon } from './marks.tsx'
import { Name } from './text.tsx'

type FilterField = {
  readonly name: string
  readonly label: string
} & (
  | { readonly kind: 'text'; readonly placeholder?: string }
  | { readonly kind: 'choice'; readonly options: readonly (readonly [value: string, text: string])[] }
)

interface Preset {
  readonly text: string
  readonly query: Readonly<Record<string, string | undefined>>
  /** Another list below the console; absent = this page. */
  readonly path?: string
}

interface FiltersProps {
  readonly context: PageContext
  readonly fields: readonly FilterField[]
  /** Links above the form that set several filters at once. */
  readonly presets?: readonly Preset[]
  /** The call of the API with the same filters: `/v4/events`. */
  readonly api?: string
  /** Names to show in the place of ids. */
  readonly names?: Names
}

const PAGING = ['cursor', 'offset', 'limit']

/** The state of the filters is in the address, so it can be kept and sent. */
export const Filters: FC<FiltersProps> = ({ context, fields, presets = [], api, names }) => {
  const { query } = context
  const isSet = ({ name }: FilterField) => query.getAll(name).some((value) => value !== '')
  const set = fields.filter(isSet)
  const others = [...query].filter(([name]) => !PAGING.includes(name) && fields.every((field) => field.name !== name))
  return (
    <div class="filterbar">
      {presets.length > 0 && (
        <ul class="presets" aria-label="Presets">
          {presets.map(({ text, query: preset, path = context.path }) => (
            <li>
              <a
                href={withQuery(context.link(path), preset)}
                aria-current={path === context.path && isPreset(query, preset) ? 'true' : undefined}
              >
                {text}
              </a>
            </li>
          ))}
        </ul>
      )}
      <details class="filterform" open={set.length > 0 || undefined}>
        <summary class="btn">
          <Icon name="filter" />
          Filter{set.length > 0 && ` (${set.length})`}
        </summary>
        <form method="get" action={context.link(context.path)} class="filters" data-filters>
          {others.map(([name, value]) => (
            <input type="hidden" name={name} value={value} />
          ))}
          {fields.map((field) => (
            // biome-ignore lint/a11y/noLabelWithoutControl: the control stands in one of the branches.
            <label class="field">
              <span>{field.label}</span>
              {field.kind === 'text' ? (
                <input
                  type="search"
                  name={field.name}
                  value={query.get(field.name) ?? ''}
                  placeholder={field.placeholder}
                  autocomplete="off"
                />
              ) : (
                <select name={field.name}>
                  <option value="">any</option>
                  {field.options.map(([value, text]) => (
                    <option value={value} selected={query.getAll(field.name).includes(value)}>
                      {text}
                    </option>
                  ))}
                </select>
              )}
            </label>
          ))}
          <button type="submit" class="btn primary">
            Apply
          </button>
          {api && (
            <a class="btn quiet" href={withQuery(`${context.root}/api${api}`, apiQuery(query))}>
              JSON
            </a>
          )}
        </form>
      </details>
      {set.length > 0 && (
        <ul class="chips" aria-label="Filters in use">
          {set.map((field) => (
            <li>
              <a
                class="chip"
                href={context.here({ [field.name]: null, cursor: null, offset: null })}
                title="Remove this filter"
              >
                {chipText(field, query, names)}
                <Icon name="no" label="remove" />
              </a>
            </li>
          ))}
          <li>
            <a href={context.link(context.path)}>Clear</a>
          </li>
        </ul>
      )}
    </div>
  )
}

/** `Task: Sales ETL`; `Outcome: failed` as the choice calls it. */
function chipText(field: FilterField, query: URLSearchParams, names?: Names): string {
  const values = query.getAll(field.name)
  const named = values.map((value) => names?.get(value.toLowerCase())?.name)
  if (named.every((name) => name !== undefined)) return `${field.label.replace(/ id$/, '')}: ${named.join(', ')}`
  const options = field.kind === 'choice' ? new Map(field.options) : null
  return `${field.label}: ${values.map((value) => options?.get(value) ?? value).join(', ')}`
}

const isPreset = (query: URLSearchParams, preset: Readonly<Record<string, string | undefined>>): boolean =>
  Object.entries(preset).every(([name, value]) => value === undefined || query.get(name) === value)

/** The order of the rows is a matter of the page. */
const apiQuery = (query: URLSearchParams): Record<string, string[]> =>
  Object.fromEntries([...query.keys()].flatMap((name) => (name === 'sort' ? [] : [[name, query.getAll(name)]])))

/** Messages about the fields of a posted form that was refused, by the name of the field. */
export const FormErrors = createContext<ReadonlyMap<string, string>>(new Map())

/** Why a field was refused, or an item of its list. */
function useError(name: string): string | undefined {
  const errors = useContext(FormErrors)
  return errors.get(name) ?? [...errors].find(([one]) => one.startsWith(`${name}.`))?.[1]
}

/** Why the field was refused. Stands in its label, so that it is read with it. `alone`: its items have their own. */
export const FieldError: FC<{ readonly name: string; readonly alone?: boolean }> = ({ name, alone = false }) => {
  const own = useContext(FormErrors).get(name)
  const any = useError(name)
  const message = alone ? own : any
  return message === undefined ? null : (
    <em class="wrong" data-wrong={name}>
      {message}
    </em>
  )
}

/** Attributes of an input that was refused. */
export const useInvalid = (name: string) =>
  useError(name) !== undefined ? ({ 'aria-invalid': 'true', autofocus: true } as const) : {}

export type Values = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>

interface ActionProps {
  readonly context: PageContext
  /** Name in the table of operations: `snooze.lift`. */
  readonly operation: string
  readonly values: Values
  /** Classes of the button: `primary`, `s`, `quiet`. */
  readonly class?: string
  /** Why the action cannot be taken now; shown, and the button is off. */
  readonly off?: string | null | undefined
  readonly scope: string
  /** The action starts and sends nothing, so it works in shadow mode, too. */
  readonly harmless?: boolean
  /** Where the visitor is afterwards; default: this page. */
  readonly then?: string
}

/** Why the button is off: the scope that is missing, or a state of Footman. */
function offReason({ context, scope, off, harmless = false }: ActionProps): string | null {
  if (off) return off
  if (!context.may(scope)) return `This needs the scope ${scope}`
  return context.settings.shadow && !harmless ? 'Footman runs in shadow mode and starts and sends nothing' : null
}

const paramsOf = (values: Values): URLSearchParams =>
  new URLSearchParams(
    Object.entries(values).flatMap(([name, value]) =>
      [value ?? ''].flat().flatMap((one) => (one === '' ? [] : [[name, String(one)]])),
    ),
  )

const hidden = (values: Values): Child[] =>
  [...paramsOf(values)].map(([name, value]) => <input type="hidden" name={name} value={value} />)

/** The fields that every form of an action has. */
export const FormFields: FC<{ readonly context: PageContext; readonly values?: Values; readonly then?: string }> = ({
  context,
  values = {},
  then,
}) => (
  <>
    <input type="hidden" name="csrf" value={context.visitor.csrf()} />
    <input type="hidden" name="once" value={crypto.randomUUID()} />
    <input type="hidden" name="return" value={then ?? context.here({})} />
    {hidden(values)}
  </>
)

/** A button for an action that can be undone: it is taken at once. */
export const ActionButton: FC<PropsWithChildren<ActionProps>> = (props) => {
  const { context, operation, values, class: extra = 's', then, children } = props
  const reason = offReason(props)
  if (reason === null && !context.actions.has(operation)) context.actions.set(operation, paramsOf(values))
  return (
    <form method="post" action={`${context.root}/form/${operation}`} class="inline" data-action>
      <FormFields context={context} values={values} {...(then && { then })} />
      <button type="submit" class={`btn ${extra}`} disabled={reason !== null} title={reason ?? undefined}>
        {children}
      </button>
    </form>
  )
}

/** Buttons of an action that differ in the value of one field. */
export const ActionChoices: FC<ActionProps & { readonly name: string; readonly choices: readonly Chip[] }> = (
  props,
) => {
  const { context, operation, values, class: extra = 's', then, name, choices } = props
  const reason = offReason(props)
  return (
    <form method="post" action={`${context.root}/form/${operation}`} class="inline" data-action>
      <FormFields context={context} values={values} {...(then && { then })} />
      {choices.map(({ value, text }) => (
        <button
          type="submit"
          class={`btn ${extra}`}
          name={name}
          value={value}
          disabled={reason !== null}
          title={reason ?? undefined}
        >
          {text}
        </button>
      ))}
    </form>
  )
}

/** A button for an action that asks before: a dialog, or a page without JavaScript. */
export const ActionLink: FC<PropsWithChildren<ActionProps>> = (props) => {
  const { context, operation, values, class: extra = 's', then, children } = props
  const reason = offReason(props)
  if (reason !== null) {
    return (
      <button type="button" class={`btn ${extra}`} disabled title={reason}>
        {children}
      </button>
    )
  }
  const query = { ...values, return: then ?? context.here({}) }
  return (
    <a class={`btn ${extra}`} href={withQuery(`${context.root}/form/${operation}`, query)} data-dialog>
      {children}
    </a>
  )
}

interface LabelledProps {
  readonly name: string
  readonly label: Child
  readonly value: string
  readonly type?: string
  readonly required?: boolean
  readonly maxlength?: number
  readonly list?: string
  readonly inputmode?: 'numeric'
  readonly pattern?: string
  readonly placeholder?: string
  readonly readonly?: boolean
  readonly class?: string
  readonly 'aria-describedby'?: string
}

/** An input with its label, and the reason when it was refused. */
export const TextField: FC<LabelledProps> = ({ label, class: extra = '', ...input }) => (
  <label class={`field ${extra}`.trim()}>
    <span>{label}</span>
    <input autocomplete="off" {...input} {...useInvalid(input.name)} />
    <FieldError name={input.name} />
  </label>
)

export interface Chip {
  readonly value: string
  readonly text: string
  readonly detail?: string | null
}

interface ChipsProps {
  readonly name: string
  readonly legend: string
  readonly chips: readonly Chip[]
  readonly chosen: string | undefined
}

/** One of several choices, side by side. */
export const Chips: FC<ChipsProps> = ({ name, legend, chips, chosen }) => (
  <fieldset class="chipset">
    <legend class="small">{legend}</legend>
    {chips.map(({ value, text, detail }) => (
      <label class="chip">
        <input type="radio" name={name} value={value} checked={value === chosen} {...useInvalid(name)} />
        <span>
          {text}
          {detail && (
            <>
              {': '}
              <Name text={detail} />
            </>
          )}
        </span>
      </label>
    ))}
    <FieldError name={name} />
  </fieldset>
)
