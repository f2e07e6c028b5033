/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** About this Footman: version, node, rights of the visitor, storage. */
import { ABOUT, type About } from '../../contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { Facts, Panel, part } from '../../ui/panel.tsx'
import { bytesText, durationText, Name, OutsideLink } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'

export const aboutPage: Page = {
  path: '/system/about',
  place: 'system',
  async render(context) {
    const answer = await context.ask(ABOUT)
    return {
      title: 'About',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="About" />
          <div class="stack">
            {part(answer, (about) => (
              <Product context={context} about={about} />
            ))}
            <Shortcuts />
          </div>
        </>
      ),
    }
  },
}

const Product = ({ context, about }: { readonly context: PageContext; readonly about: About }) => {
  const { dataDirectory: data } = about
  return (
    <Panel id="footman" title="Footman">
      <div class="body">
        <Facts
          facts={[
            ['Version', `${about.version}, commit ${about.commit}, ${about.platform}`],
            ['Node', <Name text={`${about.node} (${about.role}${about.shadow ? ', shadow mode' : ''})`} />],
            ['Running for', durationText(context.now - Date.parse(about.startedAt), true)],
            ['Zone', about.timezone],
            about.publicUrl !== null && ['Address', <OutsideLink url={about.publicUrl} text={about.publicUrl} />],
            ['You are', <Name text={about.actor} />],
            ['Scopes', about.scopes.join(', ')],
            data !== undefined && ['Free disk', bytesText(data.freeBytes)],
            ...(data?.databases ?? []).map(({ name, bytes }) => [`Database ${name}`, bytesText(bytes)] as const),
            ['API', <a href={`${context.request.prefix}/documentation/`}>Description of the REST API</a>],
          ]}
        />
      </div>
    </Panel>
  )
}

const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ['Ctrl K or /', 'Search and commands'],
  ['g, then n e t d s r y', 'Go to a place'],
  ['j, k', 'Next and previous row'],
  ['x', 'Select the row'],
  ['Enter', 'Open'],
  ['f', 'First filter'],
  ['[ and ]', 'Older, newer'],
  ['?', 'All shortcuts'],
  ['Esc', 'Close'],
]

const Shortcuts = () => (
  <Panel id="shortcuts" title="Keyboard">
    <div class="body">
      <Facts facts={KEYS.map(([keys, meaning]) => [keys, meaning] as const)} />
    </div>
  </Panel>
)
