//! Where the programs are looked for.

use std::{fs, path::Path};

use eagre_apiserver::{Binaries, Error};

fn folder_with(programs: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for program in programs {
        fs::write(folder.path().join(program), "").unwrap();
    }
    folder
}

#[test]
fn what_is_missing_in_the_assets_is_named_and_the_cache_not_asked() {
    let cases: [(&[&str], &str); 3] = [
        (&["etcd"], "kube-apiserver"),
        (&["kube-apiserver"], "etcd"),
        (&["kubectl"], "etcd and kube-apiserver"),
    ];
    for (there, expected) in cases {
        let folder = folder_with(there);
        let refused = Binaries::find(Some(folder.path()), Path::new("/no/such/cache")).unwrap_err();
        assert!(matches!(&refused, Error::Assets { missing, .. } if missing == expected), "{refused}");
        assert!(refused.to_string().contains(&*folder.path().to_string_lossy()), "{refused}");
    }
}

#[test]
fn complete_assets_are_taken_with_kubectl_if_it_is_there() {
    let folder = folder_with(&["etcd", "kube-apiserver"]);
    let found = Binaries::find(Some(folder.path()), Path::new("/no/such/cache")).unwrap();
    assert_eq!(found.kubectl, None);
    fs::write(folder.path().join("kubectl"), "").unwrap();
    let found = Binaries::find(Some(folder.path()), Path::new("/no/such/cache")).unwrap();
    assert_eq!(found.kubectl, Some(folder.path().join("kubectl")));
}
