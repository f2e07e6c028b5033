/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The page that shows the configuration, in the frame of the console. Everything on it comes from this server. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import { pageText } from '../../platform/html-page.tsx'
import { visible } from '../../platform/visible.ts'
import { Brand, Shell } from '../frame.tsx'
import { Badge, Icon } from '../ui/marks.tsx'

interface PageInput {
  /** The `Butler` section as it may be shown. */
  readonly butler: Readonly<Record<string, unknown>>
  /** The text of the YAML library: block style, two spaces a level. */
  readonly yaml: string
  readonly masked: boolean
  readonly version: string
}

export function configPage(input: PageInput): string {
  return pageText(<Page {...input} />)
}

const Page: FC<PageInput> = ({ butler, yaml, masked, version }) => (
  <Shell root="" title="Footman configuration" scripts={['config.js']} data={{ class: 'config' }}>
    <header class="top">
      <Brand href="/" name="Footman" />
      <div class="tools push">
        <a class="btn" href="/config.yaml" download="config.yaml">
          <Icon name="get" />
          {masked ? 'Masked YAML' : 'YAML'}
        </a>
        <a class="btn" href="/config.json" download="config.json">
          <Icon name="get" />
          JSON
        </a>
        <button type="button" class="btn quiet" id="theme" aria-label="Switch between light and dark">
          Light or dark
        </button>
      </div>
    </header>
    <div class="bar">
      <div class="head">
        <h1>Current configuration</h1>
        <span class="muted">Footman {version}</span>
        {masked ? (
          <Badge text="masked" title="Secrets and addresses are replaced by stars" />
        ) : (
          <Badge text="not masked" tone="warn" title="Butler.configVisualisation.obfuscate is false" />
        )}
      </div>
      <div class="filters">
        <div class="seg" role="tablist" aria-label="Form">
          <button type="button" role="tab" id="tab-yaml" aria-controls="yaml" aria-selected="true">
            YAML
          </button>
          <button type="button" role="tab" id="tab-json" aria-controls="json" aria-selected="false" tabindex={-1}>
            JSON tree
          </button>
        </div>
        <label class="field">
          <span>Find</span>
          <input type="search" id="find" placeholder="key or value" autocomplete="off" spellcheck={false} />
        </label>
        <output id="hits" for="find" class="muted" />
        <button type="button" class="btn quiet push" id="fold" hidden>
          Unfold all
        </button>
      </div>
    </div>
    <div class="columns">
      <nav aria-label="Sections">
        {Object.keys(butler).map((name) => (
          <a href={`#s-${name}`} data-section={name}>
            {name}
          </a>
        ))}
      </nav>
      <main>
        <section id="yaml" class="panel body" role="tabpanel" aria-labelledby="tab-yaml" tabindex={0}>
          <pre class="yaml">
            <code>{yamlLines(yaml)}</code>
          </pre>
        </section>
        <section id="json" class="panel body" role="tabpanel" aria-labelledby="tab-json" tabindex={0} hidden>
          <div class="tree">
            {Object.entries(butler).map(([key, item]) => (
              <TreeNode name={key} value={item} id={`t-${key}`} />
            ))}
          </div>
        </section>
      </main>
    </div>
  </Shell>
)

/** A member of a JSON value, foldable when it has members itself. */
export const TreeNode: FC<{
  readonly name: string
  readonly value: unknown
  readonly id?: string
  readonly open?: boolean
}> = ({ name, value, id, open: isOpen = false }) => {
  const key = <span class="key">{visible(name)}</span>
  if (typeof value !== 'object' || value === null) {
    return (
      <div class="leaf" id={id}>
        {key}: <span class={kindOf(value)}>{visible(JSON.stringify(value) ?? 'null')}</span>
      </div>
    )
  }
  const entries = Object.entries(value)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  if (entries.length === 0) {
    return (
      <div class="leaf" id={id}>
        {key}: <span class="nothing">{`${open}${close}`}</span>
      </div>
    )
  }
  return (
    <details id={id} open={isOpen}>
      <summary>
        {key} <span class="muted">{`${open}${entries.length}${close}`}</span>
      </summary>
      <div class="children">
        {entries.map(([childKey, item]) => (
          <TreeNode name={childKey} value={item} open={isOpen} />
        ))}
      </div>
    </details>
  )
}

function kindOf(value: unknown): string {
  if (typeof value === 'number') return 'number'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value !== 'string') return 'nothing'
  return value.endsWith('**********') ? 'masked' : 'text'
}

const KEY = /^(\s*(?:- )*)("(?:[^"\\]|\\.)*"|[^\s#"'[{][^:]*?):(?=\s|$)(.*)$/
const ITEM = /^(\s*(?:- )+)(.*)$/
const BLOCK = /^[|>][+-]?\d?$/
const PLAIN: readonly (readonly [RegExp, string])[] = [
  [/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i, 'number'],
  [/^(true|false)$/, 'boolean'],
  [/^(null|~|\[\]|\{\})$/, 'nothing'],
]

/** YAML, one element a line, coloured by what the parts are. Lines of top-level sections get an id. */
export function yamlLines(text: string): Child[] {
  // Lines inside a block of text are no keys, even if they look like one.
  let block: number | null = null
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      const indent = line.search(/\S/)
      if (block !== null && (indent < 0 || indent > block)) return <Line indent={indent}>{coloured('text', line)}</Line>
      block = null
      const [, lead = '', key, rest = ''] = KEY.exec(line) ?? []
      if (key === undefined) return <Line indent={indent}>{itemOf(line)}</Line>
      const value = rest.trim()
      if (BLOCK.test(value)) block = indent
      return (
        <Line indent={indent} id={indent === 2 && lead === '  ' ? `s-${key}` : undefined}>
          {lead}
          {coloured('key', key)}:{rest === '' ? '' : [' ', scalar(value)]}
        </Line>
      )
    })
}

const Line: FC<PropsWithChildren<{ readonly indent: number; readonly id?: string | undefined }>> = ({
  indent,
  id,
  children,
}) => (
  <span class="line" data-indent={Math.max(indent, 0)} id={id}>
    {children}
  </span>
)

function itemOf(line: string): Child {
  const [, lead, rest] = ITEM.exec(line) ?? []
  return lead === undefined ? coloured('text', line) : [lead, scalar(rest ?? '')]
}

function scalar(value: string): Child {
  const kind = PLAIN.find(([pattern]) => pattern.test(value))?.[1] ?? (/\*{10}"?$/.test(value) ? 'masked' : 'text')
  return coloured(kind, value)
}

const coloured = (kind: string, text: string): Child => <span class={kind}>{visible(text)}</span>
