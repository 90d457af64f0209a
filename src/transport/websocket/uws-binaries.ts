// The binaries of uWebSockets.js that Aorta loads, by package, each with its required hash. The packages are a third
// party's: the library itself is published on GitHub alone (docs/dependencies.md describes their comparison).

export interface UwsBinary {
  /** Name in node_modules. */
  readonly name: string;
  /** Major version of Node. */
  readonly node: number;
  /** Hash of its uws.node. */
  readonly sha256: string;
}

/** For Linux on x64, newest version of the library first: the first that loads is used. */
export const UWS_BINARIES: readonly UwsBinary[] = [
  {
    name: '@uwsjs/linux-x64-26',
    node: 26,
    sha256: '604375741bf77780b34e7e299af9274cb1f56d73732201d19e3d8d8448176795',
  },
  {
    name: '@uwsjs/linux-x64-24',
    node: 24,
    sha256: '177efdc682425d754474bd30f9586c487fa6694f790f3406a23885d0e61c07a0',
  },
  {
    name: '@uwsjs/linux-x64-22',
    node: 22,
    sha256: '34d235864db874fbf3aeafd48b63f6fb80f61fb584a86f1e5f7b0291dbd7a3d4',
  },
  {
    name: 'uwsjs-older-22',
    node: 22,
    sha256: 'f687e7c3666b5cca9d355184bbf07bb0550f5ba0d3ffd453248ccfec552dde6c',
  },
  {
    name: '@uwsjs/linux-x64-20',
    node: 20,
    sha256: '4d482084b665c225892917ee0e9b9572d89eaa6f3dc200ff5e536293d3456c89',
  },
];
