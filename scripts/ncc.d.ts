/** The part of ncc's programming interface that the build uses; the package ships no types. */
declare module '@vercel/ncc' {
  function ncc(input: string, options: ncc.Options): Promise<ncc.Result>;

  namespace ncc {
    interface Options {
      cache: boolean;
      /** Names of modules that are required at run time instead, and under which name. */
      externals: Record<string, string>;
      minify: boolean;
      quiet: boolean;
      target: string;
      transpileOnly: boolean;
    }
    interface Module {
      resource?: string;
      /** The modules that webpack joined into this one. */
      modules?: Module[];
    }
    interface Result {
      code: string;
      assets: Record<string, { source: string | Buffer }>;
      stats: { compilation: { modules: Iterable<Module> } };
    }
  }

  export = ncc;
}
