/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Forms: filters, which are links with a state in the address, and actions, which go through `forms.tsx`. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import { withQuery } from '../ask.ts'
import type { PageContext } from '../page.ts'
import { Icon } from './marks.tsx'

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
}

const PAGING = ['cursor', 'limit']

/** The state of the filters is in the address, so it can be kept and sent. */
export const Filters: FC<FiltersProps> = ({ context, fields, presets = [], api }) => {
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
              <a class="chip" href={context.here({ [field.name]: null, cursor: null })} title="Remove this filter">
                {field.label}: {query.getAll(field.name).join(', ')}
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

const isPreset = (query: URLSearchParams, preset: Readonly<Record<string, string | undefined>>): boolean =>
  Object.entries(preset).every(([name, value]) => value === undefined || query.get(name) === value)

const apiQuery = (query: URLSearchParams): Record<string, string[]> =>
  Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]))

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
    <input type="hidden" name="key" value={crypto.randomUUID()} />
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
