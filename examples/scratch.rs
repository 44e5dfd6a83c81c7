//! scratch
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::expect_used)]
use miyu::media::camera::{self, *};
use std::time::Instant;
fn grab(spec: &str, s: &Settings, n: usize) {
    println!("== {spec} {:?} {} {:?} {:?}", s.size, s.fps, s.rotate, s.flip);
    let spec: SourceSpec = spec.parse().unwrap();
    let t = Instant::now();
    match camera::open(&spec, s) {
        Err(e) => println!("  open: {e}; hint {:?}", e.hint()),
        Ok(mut src) => {
            println!("  {} size {:?} fps {} open {:?}", src.describe(), src.size(), src.fps(), t.elapsed());
            let mut last = 0;
            let mut enc = 0f64;
            let mut bytes = 0;
            let mut conv = 0f64;
            let t = Instant::now();
            for i in 0..n {
                let c0 = Instant::now();
                match src.next() {
                    Err(e) => {
                        println!("  frame {i}: {e}; hint {:?}", e.hint());
                        break;
                    }
                    Ok(f) => {
                        conv += c0.elapsed().as_secs_f64();
                        let now =
                            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros()
                                as u64;
                        let e0 = Instant::now();
                        let e = f.picture.encode(1, 85).unwrap();
                        enc += e0.elapsed().as_secs_f64();
                        bytes += e.jpeg.len();
                        if i < 3 || i + 1 == n {
                            println!(
                                "  frame {} {}x{} age {} us gap {} us, {} bytes",
                                f.seq,
                                f.width,
                                f.height,
                                now.saturating_sub(f.captured_at_us),
                                f.captured_at_us.saturating_sub(last),
                                e.jpeg.len()
                            );
                        }
                        last = f.captured_at_us;
                        if i + 1 == n {
                            std::fs::write("/tmp/last.jpg", &e.jpeg).unwrap();
                        }
                    }
                }
            }
            println!(
                "  {n} frames in {:?}, encode {:.2} ms each, next {:.2} ms, {} bytes",
                t.elapsed(),
                enc * 1e3 / n as f64,
                conv * 1e3 / n as f64,
                bytes / n
            );
        }
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("bench") => {
            use miyu::media::camera::raw::*;
            for (w, h) in [(640u32, 480u32), (1280, 720)] {
                let rgb = TestPattern::new(w, h).render(7, 1_700_000_000_123);
                for (layout, name) in [(Layout::Yuyv, "YUYV"), (Layout::Nv12, "NV12")] {
                    let len = if layout == Layout::Yuyv { w * h * 2 } else { w * h * 3 / 2 } as usize;
                    let mut bytes = vec![0u8; len];
                    // brightness of the pattern, some colour
                    for i in 0..(w * h) as usize {
                        let p = &rgb.data[i * 3..i * 3 + 3];
                        let y = ((p[0] as u32 * 77 + p[1] as u32 * 150 + p[2] as u32 * 29) >> 8) as u8;
                        if layout == Layout::Yuyv {
                            bytes[i * 2] = y;
                            bytes[i * 2 + 1] = p[i % 3];
                        } else {
                            bytes[i] = y;
                        }
                    }
                    if layout == Layout::Nv12 {
                        for i in (w * h) as usize..len {
                            bytes[i] = rgb.data[i];
                        }
                    }
                    for range in [Range::Limited, Range::Full] {
                        let raw = Raw { layout, width: w, height: h, stride: 0, range };
                        let mut best = (f64::MAX, f64::MAX, f64::MAX);
                        for _ in 0..200 {
                            let a = Instant::now();
                            let yuv = raw.planes(&bytes).unwrap();
                            let b = Instant::now();
                            let p = Picture::Yuv(yuv.into());
                            let e = p.encode(1, 85).unwrap();
                            let c = Instant::now();
                            p.encode(2, 85).unwrap();
                            let d = Instant::now();
                            std::hint::black_box(e);
                            best.0 = best.0.min((b - a).as_secs_f64() * 1e3);
                            best.1 = best.1.min((c - b).as_secs_f64() * 1e3);
                            best.2 = best.2.min((d - c).as_secs_f64() * 1e3);
                        }
                        println!(
                            "{w}x{h} {name} {range:?}: planes {:.3} ms, encode {:.3} ms, half {:.3} ms",
                            best.0, best.1, best.2
                        );
                    }
                }
                let p = Picture::Rgb(rgb.into());
                let mut best = f64::MAX;
                for _ in 0..200 {
                    let a = Instant::now();
                    std::hint::black_box(p.encode(1, 85).unwrap());
                    best = best.min(a.elapsed().as_secs_f64() * 1e3);
                }
                println!("{w}x{h} RGB encode {best:.3} ms");
                let j = p.encode(1, 85).unwrap();
                let mut best = f64::MAX;
                for _ in 0..100 {
                    let a = Instant::now();
                    std::hint::black_box(
                        Picture::Jpeg(j.jpeg.clone()).turned(Turn::new(Rotation::Right, Flip::None)).unwrap(),
                    );
                    best = best.min(a.elapsed().as_secs_f64() * 1e3);
                }
                println!("{w}x{h} JPEG turned by 90: {best:.3} ms");
            }
        }
        _ => {
            for c in devices() {
                println!("{} {:?} {} {:?}", c.source, c.name, c.driver, c.problem);
                for f in &c.formats {
                    println!("   {} {} {:?}", f.name, f.usable, f.modes.iter().take(3).collect::<Vec<_>>());
                }
            }
            let dev = "v4l2:/dev/video0";
            let s = Settings::default();
            grab(dev, &s, 60);
            grab(dev, &Settings { size: Some((1280, 720)), fps: 29.97, ..s.clone() }, 30);
            grab(dev, &Settings { size: Some((330, 170)), fps: 10.0, ..s.clone() }, 10);
            grab(dev, &Settings { size: Some((640, 360)), fps: 5.0, rotate: Rotation::Right, ..s.clone() }, 5);
            // slow reader
            let mut src = camera::open(&dev.parse().unwrap(), &s).unwrap();
            for _ in 0..4 {
                std::thread::sleep(std::time::Duration::from_millis(400));
                let f = src.next().unwrap();
                let now =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64;
                println!("slow reader: age {} us", now - f.captured_at_us);
            }
            // busy: same device twice
            grab(dev, &s, 1);
            match camera::controls(&dev.parse().unwrap()) {
                Err(e) => println!("controls: {e}"),
                Ok(c) => {
                    for c in c {
                        println!(
                            "  {} {} {} {}..{} {:?} {:?}",
                            c.name,
                            c.id,
                            c.kind.word(),
                            c.min,
                            c.max,
                            c.default,
                            c.value
                        );
                    }
                }
            }
            for (n, v) in [
                ("brightness", ControlValue::Number(33)),
                ("test_pattern", ControlValue::Text("100% Red".into())),
                ("brightnes", ControlValue::Number(1)),
                ("brightness", ControlValue::Number(999)),
            ] {
                println!(
                    "set {n}={v}: {:?}",
                    camera::set_controls(&dev.parse().unwrap(), &[(n.into(), v.clone())])
                        .map_err(|e| (e.to_string(), e.hint()))
                );
            }
            drop(src);
            grab("v4l2:/dev/video7", &s, 1);
            for d in std::fs::read_dir("/dev").unwrap().flatten() {
                let n = d.file_name().to_string_lossy().into_owned();
                if n.starts_with("v4l")
                    || n.starts_with("vbi")
                    || (n.starts_with("video") && n != "video0")
                    || n.starts_with("radio")
                    || n.starts_with("swradio")
                {
                    grab(&format!("v4l2:/dev/{n}"), &s, 1);
                }
            }
            // unplug while streaming
            let mut src = camera::open(&dev.parse().unwrap(), &s).unwrap();
            src.next().unwrap();
            let unbind = std::process::Command::new("sh")
                .args(["-c", "echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind; ls /dev/video*"])
                .output()
                .unwrap();
            println!("unbind {:?}", unbind);
            for _ in 0..3 {
                let t = Instant::now();
                match src.next() {
                    Ok(f) => println!("after unplug: frame {}", f.seq),
                    Err(e) => {
                        println!("after unplug: {e}; {:?} in {:?}", e.hint(), t.elapsed());
                    }
                }
            }
            grab(dev, &s, 1);
            drop(src);
            println!("dropped");
            let b = std::process::Command::new("sh")
                .args(["-c", "modprobe -r vivid; echo $?; modprobe vivid; ls /dev/video*"])
                .output()
                .unwrap();
            println!("reload {:?}", b);
            grab("v4l2:/dev/video0", &s, 10);
            println!("DONE");
        }
    }
}
