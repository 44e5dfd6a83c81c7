//! Prints where cargo keeps the sources of Tongsuo, once it has fetched and checked them: `./x interop` builds them.

fn main() {
    println!("{}", tongsuo_src::source_dir().display());
}
