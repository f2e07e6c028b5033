/** The parts of the runtime, as its authors list them. */

export interface RuntimePart {
  readonly name: string
  /** SPDX expression, or words where there is none. */
  readonly licence: string
  /** Name in `process.versions`, where the runtime reports the version. */
  readonly version?: string
  readonly note?: string
}

/** Linked into Bun 1.4; https://bun.com/docs/project/license. */
export const RUNTIME_PARTS: readonly RuntimePart[] = [
  { name: 'JavaScriptCore and WebKit', licence: 'LGPL-2.0-or-later AND BSD-2-Clause', version: 'webkit' },
  { name: 'BoringSSL', licence: 'Apache-2.0 AND OpenSSL AND ISC', version: 'boringssl' },
  { name: 'SQLite', licence: 'blessing', version: 'sqlite' },
  { name: 'ICU', licence: 'Unicode-3.0', version: 'icu' },
  { name: 'brotli', licence: 'MIT' },
  { name: 'c-ares', licence: 'MIT', version: 'ares' },
  { name: 'highway', licence: 'Apache-2.0' },
  { name: 'libarchive', licence: 'BSD-2-Clause', version: 'libarchive' },
  { name: 'libbase64', licence: 'BSD-2-Clause' },
  { name: 'libdeflate', licence: 'MIT', version: 'libdeflate' },
  { name: 'libjpeg-turbo', licence: 'BSD-3-Clause AND IJG AND Zlib' },
  { name: 'libspng', licence: 'BSD-2-Clause' },
  { name: 'libuv', licence: 'MIT', version: 'uv', note: 'on Windows' },
  { name: 'libwebp', licence: 'BSD-3-Clause' },
  { name: 'LLVM libc++abi (part)', licence: 'Apache-2.0 WITH LLVM-exception' },
  { name: 'lol-html', licence: 'BSD-3-Clause', version: 'lolhtml' },
  { name: 'ls-hpack', licence: 'MIT', version: 'lshpack' },
  { name: 'ls-qpack', licence: 'MIT' },
  { name: 'lsquic', licence: 'MIT AND BSD-3-Clause' },
  { name: 'mimalloc', licence: 'MIT', version: 'mimalloc' },
  { name: 'picohttpparser', licence: 'MIT', version: 'picohttpparser' },
  { name: 'simdutf', licence: 'Apache-2.0' },
  { name: 'TigerBeetle (part)', licence: 'Apache-2.0' },
  { name: 'TinyCC', licence: 'LGPL-2.1-or-later', version: 'tinycc' },
  { name: 'uSockets', licence: 'Apache-2.0', version: 'usockets' },
  { name: 'uucode', licence: 'MIT' },
  { name: 'uWebSockets', licence: 'Apache-2.0', version: 'uwebsockets' },
  { name: 'zlib-ng', licence: 'Zlib', version: 'zlib' },
  { name: 'zstd', licence: 'BSD-3-Clause', version: 'zstd' },
]
